//! A plugin that turns text to upper case.

fn process(input: &[u8]) -> String {
    String::from_utf8_lossy(input).to_uppercase()
}

hotcell_guest::entry!(process);

#[test]
fn it_turns_text_to_upper_case() {
    assert_eq!(process(b"hot cell"), "HOT CELL");
}
