fn main() {
    let a: Vec<String> = std::env::args().collect();
    let case = hotcell_bench::cases::all().into_iter().find(|c| c.id() == a[1]).unwrap();
    let mut pair = case.pair();
    pair.one(a[2] == "ours", a[3].parse().unwrap());
}
