//! A script as a function of the server.
//!
//! Redis compiles a script once, but creates every function of its text in each call. The
//! text of a function library is evaluated once, when it is loaded; each call then runs one
//! function. The variables of the library belong to the server's process: Redis neither stores nor
//! replicates them, and a restart or a full resynchronisation with a primary loads the library
//! again.

use redis::{ServerError, Value};

/// Slows down the garbage collector of the server's functions, in the first call of a library:
/// none is available while one is loaded. After every 50th call Redis collects in one step, which
/// takes 50 us at Lua's usual multiplier of 200 and a quarter less at 150. The functions of the gate
/// then keep up to 1.2 MB after large calls of settle, instead of 0.3. With 100 the step is shorter
/// still, but most calls take longer.
const COLLECTOR: &str = "if not is_collector_set then\n  is_collector_set = true\n  \
                         pcall(function() collectgarbage('setstepmul', 150) end)\nend\n";

/// The library with the one function of a script.
#[derive(Debug)]
pub(crate) struct Library {
    name: String,
    source: String,
}

impl Library {
    /// `own` is the script's text without its fragments. The name contains the hash of all text, so
    /// the versions of a script that are deployed at the same time do not replace each other.
    pub(crate) fn new(script: &str, hash: &str, own: &str, fragments: &[&str]) -> Self {
        let name = format!("usher_{}_{}", script.replace('/', "_"), &hash[..16]);
        let (shebang, own) = own.split_once('\n').unwrap_or((own, ""));
        let mut once = String::new();
        let mut each_call = String::new();
        for line in fragments.iter().flat_map(|text| sections(text)) {
            let target = match line {
                Line::Once(_) => &mut once,
                Line::EachCall(_) => &mut each_call,
            };
            let (Line::Once(text) | Line::EachCall(text)) = line;
            target.push_str(text);
            target.push('\n');
        }
        let flags: Vec<String> = shebang
            .split_once("flags=")
            .map_or("", |(_, flags)| flags)
            .split(',')
            .filter(|flag| !flag.is_empty())
            .map(|flag| format!("'{flag}'"))
            .collect();
        let flags = flags.join(", ");
        let source = format!(
            "#!lua name={name}\n{once}local is_collector_set = false\n\
             local function main(KEYS, ARGV)\n{COLLECTOR}{each_call}{own}end\n\
             redis.register_function{{\n  function_name = '{name}', callback = main, \
             flags = {{ {flags} }},\n}}\n"
        );
        Self { name, source }
    }

    /// The name of the library and of its function.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The text that is sent to the server.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }
}

enum Line<'a> {
    Once(&'a str),
    EachCall(&'a str),
}

/// The lines of a fragment, without the markers of its sections.
fn sections(fragment: &str) -> impl Iterator<Item = Line<'_>> {
    let mut each_call = false;
    fragment.lines().filter_map(move |line| match line {
        "--@call" => {
            each_call = true;
            None
        }
        "--@end" => {
            each_call = false;
            None
        }
        _ if each_call => Some(Line::EachCall(line)),
        _ => Some(Line::Once(line)),
    })
}

/// Whether the server lacks the function of a call, or functions at all.
pub(crate) fn is_missing(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error)
        if is_refused(error) || detail(error).starts_with("Function not found"))
}

/// Whether the reply to loading or calling a function means that this server has no functions for
/// this user: another product, or an access list without `FCALL` and `FUNCTION`.
pub(crate) fn has_none(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if is_refused(error))
}

fn is_refused(error: &ServerError) -> bool {
    let detail = detail(error).to_ascii_lowercase();
    error.code() == "NOPERM" || error.code() == "ERR" && detail.starts_with("unknown command")
}

fn detail(error: &ServerError) -> &str {
    error.details().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::COLLECTOR;
    use crate::Script;

    const COUNTER: &str = "local calls = 0\n--@call\ncalls = calls + 1\n--@end\nlocal step = 2";

    #[test]
    fn a_function_keeps_what_each_call_does_not_need() {
        let body = "#!lua flags=allow-oom\n--@function\n--@include counter\nreturn calls * step";
        let script = Script::new("test/count", body, &[("counter", COUNTER)]);
        let library = script.library().expect("it is marked");
        let name = library.name();
        assert_eq!(
            library.source(),
            format!(
                "#!lua name={name}\nlocal calls = 0\nlocal step = 2\n\
                 local is_collector_set = false\nlocal function main(KEYS, ARGV)\n{COLLECTOR}\
                 calls = calls + 1\n--@function\n\
                 return calls * step\nend\nredis.register_function{{\n  \
                 function_name = '{name}', callback = main, flags = {{ 'allow-oom' }},\n}}\n"
            )
        );
        assert!(name.starts_with("usher_test_count_"), "{name}");
        assert!(
            Script::new("test/once", "#!lua\nreturn 1", &[])
                .library()
                .is_none()
        );
    }
}
