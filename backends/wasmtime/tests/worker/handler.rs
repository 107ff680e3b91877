//! What a child does: the first piece of a request says it, the second one is for it.

use std::{
    fs, hint,
    io::{self, Read, Write},
    net::{TcpStream, UdpSocket},
    process::{self, Command},
    thread,
    time::Duration,
};

use hotcell_wasmtime::worker::CompileWorker;
use rustix::{
    process::{Resource, Signal, getpid, getrlimit, kill_process},
    stdio::{dup2_stdout, stdin},
};

/// Longer than any check waits, and short enough that one fails where nothing ends the child.
const LONG: Duration = Duration::from_secs(8);

pub(crate) fn handle(pieces: &[Vec<u8>]) -> Result<Vec<u8>, String> {
    let [job, input, ..] = pieces else { return Err("two pieces, please".into()) };
    let text = String::from_utf8_lossy(input).into_owned();
    let number = || text.parse::<usize>().unwrap();
    let error = |error: io::Error| format!("{:?}", error.kind());
    match &job[..] {
        b"echo" => Ok(input.clone()),
        b"lengths" => Ok(pieces.iter().map(|piece| piece.len() as u8).collect()),
        b"rest of the input" => {
            let mut rest = Vec::new();
            io::stdin().read_to_end(&mut rest).map(|_| rest).map_err(error)
        }
        b"reply" => Ok(vec![7; number()]),
        b"refuse" => Err(text),
        b"refuse at length" => Err("é".repeat(1 << 20)),
        b"sleep" => {
            thread::sleep(LONG);
            Ok(Vec::new())
        }
        b"spin" => loop {
            hint::spin_loop();
        },
        b"leak" => {
            let mut kept = Vec::new();
            loop {
                kept.push(vec![1_u8; 1 << 20]);
                assert!(kept.len() < 1000, "nothing limits this");
            }
        }
        b"allocate" => Ok(vec![1; number()][..1].to_vec()),
        b"try to allocate" => {
            let mut bytes = Vec::<u8>::new();
            bytes.try_reserve_exact(number()).map(|()| Vec::new()).map_err(|error| error.to_string())
        }
        b"abort" => process::abort(),
        b"panic" => panic!("{text}"),
        b"overflow" => Ok(vec![deeper(1)]),
        b"exit" => process::exit(number() as i32),
        b"signal" => {
            let signal = if text == "XCPU" { Signal::XCPU } else { Signal::KILL };
            kill_process(getpid(), signal).unwrap();
            thread::sleep(LONG);
            Ok(Vec::new())
        }
        b"print" => {
            print!("{text}");
            Ok(Vec::new())
        }
        // A reply by hand.
        b"forge" => {
            io::stdout().write_all(input).unwrap();
            io::stdout().flush().unwrap();
            process::exit(0)
        }
        b"forge and sleep" => {
            io::stdout().write_all(input).unwrap();
            io::stdout().flush().unwrap();
            thread::sleep(LONG);
            Ok(Vec::new())
        }
        b"endless" => {
            io::stdout().write_all(input).unwrap();
            let zeros = [0; 1 << 16];
            while io::stdout().write_all(&zeros).is_ok() {}
            thread::sleep(LONG);
            Ok(Vec::new())
        }
        b"complain" => {
            for _ in 0..number() {
                eprintln!("\u{1b}[31mred");
            }
            Err("done".into())
        }
        b"complain and abort" => {
            eprint!("{text}");
            process::abort()
        }
        b"close" => {
            dup2_stdout(stdin()).unwrap();
            thread::sleep(LONG);
            Ok(Vec::new())
        }
        b"read" => fs::read(&text).map_err(error),
        b"create" => fs::write(&text, "").map(|()| Vec::new()).map_err(error),
        b"mkdir" => fs::create_dir(&text).map(|()| Vec::new()).map_err(error),
        b"connect" => TcpStream::connect(&text).map(|_| Vec::new()).map_err(error),
        b"udp" => UdpSocket::bind("127.0.0.1:0").map(|_| Vec::new()).map_err(error),
        b"start" => Command::new(&text).spawn().map(|_| Vec::new()).map_err(error),
        b"nest" => CompileWorker::this_program().map(|_| Vec::new()).map_err(|error| error.to_string()),
        b"environment" => {
            let variables = std::env::vars_os().count();
            let directory = std::env::current_dir().map_err(error)?;
            Ok(format!("{variables} {}", directory.display()).into_bytes())
        }
        b"limits" => {
            let limits = [Resource::As, Resource::Cpu, Resource::Core, Resource::Fsize, Resource::Nofile];
            let limits = limits.map(|resource| getrlimit(resource).current.unwrap());
            Ok(format!("{limits:?}").into_bytes())
        }
        b"privileges" => Ok(vec![u8::from(rustix::thread::no_new_privs().unwrap())]),
        _ => Err("no such job".into()),
    }
}

#[expect(unconditional_recursion, reason = "until the stack is used up")]
fn deeper(level: u8) -> u8 {
    let frame = hint::black_box([level; 1024]);
    deeper(frame[3].wrapping_add(1)).wrapping_add(hint::black_box(frame)[5])
}
