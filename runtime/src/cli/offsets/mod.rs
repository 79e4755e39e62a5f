//! `usher offsets`: shows and changes the positions of the Kafka mappings' consumer groups.
//!
//! A running host owns the partitions, so the command sends it the change through its control
//! address. Without a host, the command commits the offset for the group, which must have no
//! members. Without `--apply` nothing changes.

mod mapping;
mod table;

use std::fmt::Write as _;
use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::json;

use self::mapping::{SelectedMapping, mapping, select_partition};
use self::table::{PositionRow, table};
use super::error::{CommandError, exit_code};
use super::operations::{ListOffsets, OffsetsCommand, SeekOffsets, SkipOffset};
use super::prepare;
use super::settings::print;
use crate::client::{ControlClient, ControlReply};
use crate::instances;
use crate::sources::kafka::{GroupPosition, SeekTarget, positions};
use crate::sources::sqs::Sqs;
use crate::sources::{PositionAction, PositionChange};
use crate::terminal::line;

/// Path of a running host.
const PATH: &str = "/_usher/offsets";

pub(super) fn run(command: &OffsetsCommand) -> Result<ExitCode, CommandError> {
    match command {
        OffsetsCommand::List(list) => self::list(list),
        OffsetsCommand::Skip(skip) => self::skip(skip),
        OffsetsCommand::Seek(seek) => self::seek(seek),
    }
}

fn list(arguments: &ListOffsets) -> Result<ExitCode, CommandError> {
    let (_, app) = prepare::application(&arguments.source)?;
    let mappings = match &arguments.mapping {
        Some(id) => vec![mapping(&app, id)?],
        None => app.kafka.iter().collect(),
    };
    if mappings.is_empty() {
        return print("the application has no Kafka mappings\n");
    }
    let mut out = String::new();
    let mut troubled = false;
    for mapping in mappings {
        let _ = writeln!(out, "{} (group {})", mapping.id, line(&mapping.group));
        match positions::group_positions(mapping) {
            Ok(all) => {
                let row = |standing| PositionRow {
                    lag: positions::lag(mapping, &standing),
                    standing,
                    to: None,
                };
                out += &table(&all.into_iter().map(row).collect::<Vec<_>>());
            }
            Err(why) => {
                troubled = true;
                let _ = writeln!(out, "  {}", line(&why.to_string()));
            }
        }
    }
    print(&out)?;
    Ok(exit_code(!troubled, false))
}

fn skip(arguments: &SkipOffset) -> Result<ExitCode, CommandError> {
    let subject = SelectedMapping::of(&arguments.source, &arguments.mapping)?;
    let all = positions::group_positions(&subject.mapping).map_err(CommandError::failure)?;
    let standing = select_partition(&subject.mapping, &all, &arguments.partition)
        .map_err(CommandError::configuration)?
        .clone();
    let next = standing
        .skip(arguments.offset)
        .map_err(CommandError::configuration)?;
    print(&table(&[PositionRow::to(standing.clone(), next)]))?;
    if !arguments.apply {
        return print("nothing was changed; add --apply to skip this record\n");
    }
    let change = PositionChange {
        mapping: subject.mapping.id.clone(),
        topic: standing.topic.clone(),
        partition: standing.partition,
        action: PositionAction::Skip,
        offset: arguments.offset,
    };
    let became = if let Some(host) = subject.host(
        arguments.control.as_deref(),
        &arguments.state.folder(&arguments.source.template),
    )? {
        send_change(&host, &change)?
    } else {
        let function_arn = subject
            .app
            .functions
            .get(&subject.mapping.function)
            .map(instances::arn)
            .unwrap_or_default();
        let sqs = Sqs::of(&subject.app);
        let from = standing
            .committed
            .unwrap_or(standing.start)
            .max(standing.start);
        let place = (standing.topic.clone(), standing.partition);
        let work = positions::skip(
            &subject.mapping,
            (function_arn, sqs),
            place,
            (from, arguments.offset),
        );
        prepare::runtime()?
            .block_on(work)
            .map_err(CommandError::failure)?
    };
    print(&format!(
        "record {} of {} was skipped; {became}\n",
        arguments.offset,
        standing.name()
    ))
}

fn seek(arguments: &SeekOffsets) -> Result<ExitCode, CommandError> {
    let target = parse_target(&arguments.to).map_err(CommandError::configuration)?;
    let subject = SelectedMapping::of(&arguments.source, &arguments.mapping)?;
    let all = positions::group_positions(&subject.mapping).map_err(CommandError::failure)?;
    let selected: Vec<&GroupPosition> = if arguments.partition.is_empty() {
        all.iter().collect()
    } else {
        let selected = arguments
            .partition
            .iter()
            .map(|written| select_partition(&subject.mapping, &all, written));
        selected
            .collect::<Result<_, _>>()
            .map_err(CommandError::configuration)?
    };
    if matches!(target, SeekTarget::Offset(_)) && selected.len() != 1 {
        return Err(CommandError::configuration(
            "an offset belongs to one partition. Name it: --partition N",
        ));
    }
    let mut rows = Vec::new();
    let mut wrong = Vec::new();
    for standing in selected {
        let to = positions::resolve(&subject.mapping, standing, target)
            .map_err(CommandError::failure)?;
        match standing.seek(to) {
            Ok(to) => rows.push(PositionRow::to(standing.clone(), to)),
            Err(why) => wrong.push(why.to_string()),
        }
    }
    if !wrong.is_empty() {
        return Err(CommandError::configuration(format!(
            "nothing was changed: {}",
            wrong.join("; ")
        )));
    }
    print(&table(&rows))?;
    if !arguments.apply {
        return print("nothing was changed; add --apply to read on from there\n");
    }
    let host = subject.host(
        arguments.control.as_deref(),
        &arguments.state.folder(&arguments.source.template),
    )?;
    let mut moved = 0;
    for PositionRow { standing, to, .. } in &rows {
        let change = PositionChange {
            mapping: subject.mapping.id.clone(),
            topic: standing.topic.clone(),
            partition: standing.partition,
            action: PositionAction::Seek,
            offset: to.unwrap_or(standing.end),
        };
        let done = match &host {
            Some(host) => send_change(host, &change).map(drop),
            None => positions::seek(
                &subject.mapping,
                &change.topic,
                change.partition,
                change.offset,
            )
            .map_err(CommandError::failure),
        };
        match done {
            Ok(()) => moved += 1,
            Err(why) => wrong.push(format!(
                "{} stays where it was: {}\n",
                standing.name(),
                line(&why.to_string())
            )),
        }
    }
    print(&format!(
        "{}{moved} of {} partitions are read from there on\n",
        wrong.concat(),
        rows.len()
    ))?;
    Ok(exit_code(wrong.is_empty(), moved > 0))
}

/// Sends the change to the host. Returns what became of the record or the partition.
fn send_change(host: &ControlClient, change: &PositionChange) -> Result<String, CommandError> {
    let who = super::settings::user();
    match prepare::runtime()?.block_on(host.change(PATH, &who, &json!(change))) {
        ControlReply::Answer(answer) => {
            Ok(answer["became"].as_str().unwrap_or_default().to_owned())
        }
        ControlReply::Refused(why) => Err(CommandError::failure(why)),
        ControlReply::Unreachable(why) => Err(CommandError::failure(format!(
            "the host closed the connection ({why}); check with usher offsets list"
        ))),
    }
}

/// The text is no target of a seek.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("--to {0}: write beginning, end, an offset, or a time such as 2026-01-31T09:00:00Z")]
struct NoTarget(String);

fn parse_target(written: &str) -> Result<SeekTarget, NoTarget> {
    match written {
        "beginning" => return Ok(SeekTarget::Beginning),
        "end" => return Ok(SeekTarget::End),
        _ => {}
    }
    if let Ok(offset) = written.parse::<i64>() {
        return Ok(SeekTarget::Offset(offset));
    }
    let time = written
        .parse::<Timestamp>()
        .map(|time| SeekTarget::Time(time.as_millisecond()));
    time.map_err(|_| NoTarget(written.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_words_offsets_or_times() {
        assert_eq!(parse_target("beginning"), Ok(SeekTarget::Beginning));
        assert_eq!(parse_target("42"), Ok(SeekTarget::Offset(42)));
        assert_eq!(
            parse_target("1970-01-01T00:00:01Z"),
            Ok(SeekTarget::Time(1_000))
        );
        assert!(
            parse_target("yesterday")
                .unwrap_err()
                .to_string()
                .contains("2026-01-31T09:00:00Z")
        );
    }
}
