//! `usher parked`: dead letters, listed, shown and brought back.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::SystemTime;

use super::arguments::Source;
use super::beside;
use super::exit::{IN_PART, Wrong};
use super::operations::{Parked, ParkedVerb, Place, Replay};
use super::prepare;
use super::settings::print;
use crate::client::InvokeClient;
use crate::clock::epoch_ms;
use crate::document::nearest;
use crate::model::Application;
use crate::observation::shortened;
use crate::parked::{self, Seen};
use crate::terminal::{block, line};

/// Longest body shown, bytes.
const LONGEST_BODY: usize = 2_000;

pub(super) fn run(arguments: &Parked) -> Result<ExitCode, Wrong> {
    match &arguments.verb {
        ParkedVerb::List(source) => list(source),
        ParkedVerb::Show(place) => show(place),
        ParkedVerb::Replay(replay) => bring(replay),
    }
}

fn application(source: &Source) -> Result<Application, Wrong> {
    Ok(prepare::application(&source.template, &source.arguments())?.1)
}

fn list(source: &Source) -> Result<ExitCode, Wrong> {
    let app = application(source)?;
    let counted = prepare::runtime()?
        .block_on(async { parked::counted(&app, &parked::streams(&app).await).await });
    if counted.is_empty() {
        return print(
            "no place for dead letters: the application has no redrive policies, on-failure destinations or dead-letter queues, \
             and no streams of dead letters ([endpoints] redis)\n",
        );
    }
    let mut out = String::new();
    let mut troubled = false;
    for one in counted {
        troubled |= one.problem.is_some();
        let count = one.problem.unwrap_or_else(|| one.count.to_string());
        let _ = writeln!(
            out,
            "{:40} {:>8}  from {}",
            line(&one.place),
            line(&count),
            line(&one.from)
        );
    }
    print(&out)?;
    Ok(if troubled {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn show(arguments: &Place) -> Result<ExitCode, Wrong> {
    let letters = peek(arguments)?;
    print(&drawn(&letters, &arguments.name))
}

fn peek(arguments: &Place) -> Result<Vec<Seen>, Wrong> {
    let app = application(&arguments.source)?;
    prepare::runtime()?.block_on(async {
        let place = find(&arguments.name, &app).await?;
        parked::peek(&app, &place, arguments.limit.into())
            .await
            .map_err(Wrong::failure)
    })
}

fn drawn(letters: &[Seen], place: &str) -> String {
    if letters.is_empty() {
        return format!("{place} holds no letters, or others are looking at them just now\n");
    }
    let now = epoch_ms(SystemTime::now());
    let mut out = String::new();
    for letter in letters {
        let age = letter.sent_ms.map_or_else(
            || "unknown".to_owned(),
            |sent| age(now.saturating_sub(sent)),
        );
        let body = block(&shortened(&letter.body, LONGEST_BODY)).replace('\n', "\n  | ");
        let _ = writeln!(
            out,
            "{}\n  age     {age}\n  reason  {}\n  back to {}\n  | {body}\n",
            line(&letter.id),
            line(&letter.reason),
            line(&letter.back_to)
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

fn bring(arguments: &Replay) -> Result<ExitCode, Wrong> {
    if arguments.dry_run {
        let letters = peek(&arguments.place)?;
        let lines: Vec<String> = letters
            .iter()
            .map(|letter| {
                format!(
                    "{} would go to {}\n",
                    line(&letter.id),
                    line(&letter.back_to)
                )
            })
            .collect();
        return print(&format!(
            "{}{} letters, nothing was changed\n",
            lines.concat(),
            letters.len()
        ));
    }
    let app = application(&arguments.place.source)?;
    let host = InvokeClient::of(&arguments.state.folder(&arguments.place.source.template));
    let replayed = prepare::runtime()?.block_on(async {
        let place = find(&arguments.place.name, &app).await?;
        if let Some(host) = host.as_ref().filter(|_| arguments.place.source.decides()) {
            let functions = place
                .functions()
                .iter()
                .filter_map(|origin| app.functions.get(&origin.function));
            beside::check_all(host, functions).await?;
        }
        let work = parked::replay(&app, &place, arguments.place.limit.into(), host.as_ref());
        work.await.map_err(Wrong::failure)
    })?;
    let stayed = replayed.stayed.iter().fold(String::new(), |text, why| {
        text + "stays: " + &line(why) + "\n"
    });
    print(&format!(
        "{stayed}{} letters are back at their source ({} records), {} stay\n",
        replayed.letters,
        replayed.records,
        replayed.stayed.len()
    ))?;
    Ok(match (replayed.stayed.is_empty(), replayed.letters) {
        (true, _) => ExitCode::SUCCESS,
        (false, 0) => ExitCode::FAILURE,
        (false, _) => ExitCode::from(IN_PART),
    })
}

async fn find(name: &str, app: &Application) -> Result<parked::Place, Wrong> {
    let places = parked::places(app);
    let mut names: Vec<String> = places.iter().map(|place| place.name.clone()).collect();
    if let Some(found) = places.into_iter().find(|place| place.name == name) {
        return Ok(found);
    }
    if let Some(found) = parked::stream(app, name).await.map_err(Wrong::failure)? {
        return Ok(found);
    }
    names.extend(parked::streams(app).await.map_err(Wrong::failure)?);
    let hint = nearest(name, names.iter().map(String::as_str))
        .map(|near| format!(" Did you mean {near}?"))
        .unwrap_or_default();
    let all = if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    };
    let message =
        format!("no source of the application fails to {name}.{hint} The places are: {all}.");
    Err(Wrong::configuration(line(&message)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_stays_within_its_entry() {
        let letter = Seen {
            id: "1\x1b[2J".into(),
            sent_ms: None,
            reason: "bad\n  back to elsewhere".into(),
            back_to: "queue q".into(),
            body: "first\n2-0\x07".into(),
        };
        let expected = "1\\u001b[2J\n  age     unknown\n  reason  bad\\n  back to elsewhere\n  back to queue q\n  | first\n  | 2-0\\u0007\n\n";
        assert_eq!(drawn(&[letter], "q-dead"), expected);
    }
}
