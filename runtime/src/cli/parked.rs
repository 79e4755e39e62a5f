//! `usher parked`: lists, shows and replays dead letters.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use super::arguments::ApplicationArguments;
use super::error::{CommandError, exit_code};
use super::operations::{ParkedCommand, PeekArguments, ReplayArguments};
use super::prepare;
use super::running_host;
use super::settings::print;
use super::shown;
use crate::client::InvokeClient;
use crate::clock::epoch_ms;
use crate::observation::shortened;
use crate::parked::{self, DeadLetterError, DeadLetterStore, DeadLetterView};
use crate::sources;
use crate::terminal::{block, line};
use sam_template::model::Application;

/// Longest body shown, bytes.
const MAX_SHOWN_BODY: usize = 2_000;

pub(super) fn run(command: &ParkedCommand) -> Result<ExitCode, CommandError> {
    match command {
        ParkedCommand::List(source) => list(source),
        ParkedCommand::Show(place) => show(place),
        ParkedCommand::Replay(arguments) => replay(arguments),
    }
}

fn list(source: &ApplicationArguments) -> Result<ExitCode, CommandError> {
    let (_, app) = prepare::application(source)?;
    let stores = sources::dead_letter_stores(&app);
    let counted = prepare::runtime()?.block_on(async {
        let found = stores.search().await;
        let mut counted = parked::counted(stores.stores.iter().chain(&found.stores)).await;
        counted.extend(found.failed);
        counted
    });
    if counted.is_empty() {
        return print(
            "no place for dead letters: the application has no redrive policies, on-failure \
             destinations or dead-letter queues, and no dead-letter streams ([endpoints] redis)\n",
        );
    }
    let mut out = String::new();
    let mut incomplete = false;
    for one in counted {
        incomplete |= one.problem.is_some();
        let count = one.problem.unwrap_or_else(|| one.count.to_string());
        let _ = writeln!(
            out,
            "{:40} {:>8}  from {}",
            line(&one.store),
            line(&count),
            line(&one.from)
        );
    }
    print(&out)?;
    Ok(exit_code(!incomplete, false))
}

fn show(arguments: &PeekArguments) -> Result<ExitCode, CommandError> {
    let dead_letters = peek(arguments)?;
    print(&text(&dead_letters, &arguments.name))
}

fn peek(arguments: &PeekArguments) -> Result<Vec<DeadLetterView>, CommandError> {
    let (_, app) = prepare::application(&arguments.source)?;
    prepare::runtime()?.block_on(async {
        let store = find(&arguments.name, &app).await?;
        let peeked = store.peek(arguments.limit.into()).await;
        peeked.map_err(|why| CommandError::failure(why.to_string()))
    })
}

fn text(dead_letters: &[DeadLetterView], store: &str) -> String {
    if dead_letters.is_empty() {
        return format!("{store} has no dead letters, or other consumers hide them at present\n");
    }
    let now = epoch_ms(SystemTime::now());
    let mut out = String::new();
    for dead in dead_letters {
        let age = dead.sent_ms.map(|sent| age(now.saturating_sub(sent)));
        let age = shown(age, "unknown");
        let body = block(&shortened(&dead.body, MAX_SHOWN_BODY)).replace('\n', "\n  | ");
        let _ = writeln!(
            out,
            "{}\n  age     {age}\n  reason  {}\n  back to {}\n  | {body}\n",
            line(&dead.id),
            line(&dead.reason),
            line(&dead.back_to)
        );
    }
    out
}

fn age(ms: u64) -> String {
    match ms / 1000 {
        s if s < 120 => format!("{s} s"),
        s if s < 7_200 => format!("{} min", s / 60),
        s if s < 172_800 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    }
}

fn replay(arguments: &ReplayArguments) -> Result<ExitCode, CommandError> {
    if arguments.dry_run {
        let dead_letters = peek(&arguments.place)?;
        let lines: Vec<String> = dead_letters
            .iter()
            .map(|dead| format!("{} would go to {}\n", line(&dead.id), line(&dead.back_to)))
            .collect();
        return print(&format!(
            "{}{} dead letters, nothing was changed\n",
            lines.concat(),
            dead_letters.len()
        ));
    }
    let (_, app) = prepare::application(&arguments.place.source)?;
    let host = InvokeClient::of(&arguments.state.folder(&arguments.place.source.template));
    let replayed = prepare::runtime()?.block_on(async {
        let store = find(&arguments.place.name, &app).await?;
        if let Some(host) = host.as_ref().filter(|_| arguments.place.source.decides()) {
            let functions = store.functions().into_iter();
            let functions = functions.filter_map(|id| app.functions.get(id));
            running_host::check_all(host, functions).await?;
        }
        let work = store.replay(arguments.place.limit.into(), host.as_ref());
        work.await
            .map_err(|why| CommandError::failure(why.to_string()))
    })?;
    let stayed = replayed.stayed.iter().fold(String::new(), |text, why| {
        text + "stays: " + &line(why) + "\n"
    });
    print(&format!(
        "{stayed}{} dead letters are back at their source ({} records), {} stay\n",
        replayed.dead_letters,
        replayed.records,
        replayed.stayed.len()
    ))?;
    Ok(exit_code(
        replayed.stayed.is_empty(),
        replayed.dead_letters > 0,
    ))
}

async fn find(name: &str, app: &Application) -> Result<Arc<dyn DeadLetterStore>, CommandError> {
    let stores = sources::dead_letter_stores(app);
    let failed = |why: DeadLetterError| CommandError::failure(why.to_string());
    if let Some(found) = stores.find(name).await.map_err(failed)? {
        return Ok(found);
    }
    let found = stores.search().await;
    if let Some(why) = found.failed.into_iter().find_map(|failed| failed.problem) {
        return Err(CommandError::failure(why));
    }
    let message = format!("no source of the application fails to {name}.");
    let names = stores.stores.iter().chain(&found.stores);
    let names: Vec<&str> = names.map(|store| store.name()).collect();
    Err(CommandError::unknown(
        &message,
        name,
        "The places are",
        &names,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_line_breaks_are_escaped() {
        let dead = DeadLetterView {
            id: "1\x1b[2J".into(),
            sent_ms: None,
            reason: "bad\n  back to elsewhere".into(),
            back_to: "queue q".into(),
            body: "first\n2-0\x07".into(),
        };
        let expected = "1\\u001b[2J\n  age     unknown\n  reason  bad\\n  back to elsewhere\n  \
                        back to queue q\n  | first\n  | 2-0\\u0007\n\n";
        assert_eq!(text(&[dead], "q-dead"), expected);
    }
}
