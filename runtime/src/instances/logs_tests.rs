use super::*;
use crate::invocation::Trigger;
use sam_template::model::{LogFormat, LogLevel};

fn to<W>(out: W) -> LogTarget<W> {
    LogTarget {
        out,
        style: LogStyle::Lambda,
        kept: None,
    }
}

fn entry(line: LogLine) -> Entry {
    let source = LogSource {
        function: "Echo".into(),
        ..LogSource::default()
    };
    Entry {
        source: Arc::new(source),
        request_id: Some("8f5".into()),
        line,
        at: Timestamp::now(),
    }
}

#[test]
fn a_line_names_its_function_and_request() {
    let (sender, receiver) = channel();
    sender
        .send(entry(LogLine::Output {
            text: "hello".into(),
        }))
        .unwrap();
    drop(sender);
    let mut out = Vec::new();
    write_all(
        &receiver,
        &LogTails::default(),
        &mut to(&mut out),
        Duration::ZERO,
    );
    assert_eq!(String::from_utf8(out).unwrap(), "Echo 8f5 | hello\n");
}

#[test]
fn control_characters_are_escaped_and_json_stays() {
    let (sender, receiver) = channel();
    let json = "{\"a\":\"\u{9b}2J\u{202e}\"}";
    for text in ["\x1b[2Jhello\rbye", json] {
        sender
            .send(entry(LogLine::Output { text: text.into() }))
            .unwrap();
    }
    drop(sender);
    let mut out = Vec::new();
    write_all(
        &receiver,
        &LogTails::default(),
        &mut to(&mut out),
        Duration::ZERO,
    );
    let text = String::from_utf8(out).unwrap();
    assert_eq!(
        text,
        "Echo 8f5 | \\u001b[2Jhello\\rbye\nEcho 8f5 | {\"a\":\"\\u009b2J\\u202e\"}\n"
    );
}

#[test]
fn lines_below_the_functions_level_are_excluded() {
    let (sender, receiver) = channel();
    let logging = Logging {
        format: Some(LogFormat::Json),
        application: LogLevel::Warn,
        ..Logging::default()
    };
    let log = Logs {
        sender,
        writer: thread::current(),
        tails: Arc::default(),
        style: LogStyle::Lambda,
    }
    .of("Quiet", &logging, Initialization::OnDemand);
    let line = |level: &str| format!(r#"{{"level":"{level}","timestamp":"2026-11-29T10:00:00Z"}}"#);
    for text in [
        line("info"),
        line("warn"),
        "plain".to_owned(),
        line("error"),
    ] {
        log.write(None, LogLine::Output { text });
    }
    drop(log);
    let mut out = Vec::new();
    write_all(
        &receiver,
        &LogTails::default(),
        &mut to(&mut out),
        Duration::ZERO,
    );
    let expected = ["warn", "error"]
        .map(|level| format!("Quiet - | {}\n", line(level)))
        .concat();
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn a_flood_loses_its_own_lines_with_a_count() {
    let (sender, receiver) = channel();
    let log = Logs {
        sender,
        writer: thread::current(),
        tails: Arc::default(),
        style: LogStyle::Lambda,
    }
    .of("Loud", &Logging::default(), Initialization::OnDemand);
    for n in 0..QUEUE_PER_FUNCTION + 7 {
        log.write(
            None,
            LogLine::Output {
                text: n.to_string(),
            },
        );
    }
    drop(log);
    let mut out = Vec::new();
    write_all(
        &receiver,
        &LogTails::default(),
        &mut to(&mut out),
        Duration::ZERO,
    );
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("(7 lines dropped"), "{}", &text[..200]);
    assert_eq!(text.lines().count(), QUEUE_PER_FUNCTION + 1);
}

/// Counts flushes.
#[derive(Default)]
struct Flushes(usize);

impl Write for Flushes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.0 += 1;
        Ok(())
    }
}

#[test]
fn lines_that_wait_are_written_together() {
    let (sender, receiver) = channel();
    for _ in 0..100 {
        sender.send(entry(LogLine::Start)).unwrap();
    }
    drop(sender);
    let mut out = Flushes::default();
    write_all(
        &receiver,
        &LogTails::default(),
        &mut to(&mut out),
        Duration::ZERO,
    );
    assert_eq!(out.0, 1);
}

/// Panics at one line.
struct Fragile(Sender<String>);

impl Write for Fragile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        assert!(!text.contains("bad"), "on purpose");
        let _ = self.0.send(text);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_line_that_panics_the_writer_loses_no_other() {
    let (sender, written) = channel();
    let (logs, end) = Logs::with_end(Fragile(sender), LogStyle::Lambda);
    let log = logs.of("F", &Logging::default(), Initialization::OnDemand);
    for text in ["one", "bad", "two"] {
        log.write(None, LogLine::Output { text: text.into() });
    }
    drop((log, logs));
    end.wait(Duration::from_secs(10));
    let text: String = written.try_iter().collect();
    assert!(
        text.contains("one") && text.contains("two") && !text.contains("bad"),
        "{text}"
    );
}

#[test]
fn a_call_is_one_line_in_the_everyday_style() {
    let ended = |trigger| {
        LogLine::Ended(Box::new(Ended {
            at_ms: 0,
            function: String::new(),
            request_id: "8f5".to_owned(),
            trigger,
            records: 2,
            duration_ms: 12.0,
            init_ms: None,
            error: None,
        }))
    };
    let lines = || {
        [
            LogLine::InitStart,
            LogLine::Start,
            LogLine::Output {
                text: "hello\x1b[2J".to_owned(),
            },
            LogLine::End {
                duration: Duration::ZERO,
                status: records::PhaseStatus::Success,
                bytes: 2,
            },
            ended(Trigger::Mapping("sqs", "Orders".into())),
            // Its line is the one of the request.
            ended(Trigger::Http),
        ]
    };
    let written = |style| {
        let (sender, receiver) = channel();
        for line in lines() {
            sender.send(entry(line)).unwrap();
        }
        drop(sender);
        let mut out = Vec::new();
        let mut target = LogTarget {
            style,
            ..to(&mut out)
        };
        write_all(&receiver, &LogTails::default(), &mut target, Duration::ZERO);
        String::from_utf8(out).unwrap()
    };
    let calls = written(LogStyle::Calls);
    let [output, call] = calls.lines().collect::<Vec<_>>()[..] else {
        panic!("{calls}");
    };
    assert_eq!(output, "Echo 8f5 | hello\\u001b[2J");
    assert!(
        call.ends_with("ok        12 ms Echo < sqs Orders, 2 records  8f5"),
        "{call}"
    );
    let json = written(LogStyle::Json);
    let kinds = json.lines().map(|line| {
        let record: LogRecord = serde_json::from_str(line).unwrap();
        (record.is_call(), record.request_id)
    });
    let id = || Some("8f5".to_owned());
    assert_eq!(kinds.collect::<Vec<_>>(), [(false, id()), (true, id())]);
    assert!(written(LogStyle::Lambda).contains("START RequestId: 8f5"));
}
