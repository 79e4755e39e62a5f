//! `usher offsets`: shows and changes the positions of the Kafka mappings' consumer groups.
//!
//! A running host owns the partitions, so the command sends it the change through its control
//! address. Without a host, the command commits the offset for the group, which must have no
//! members. Without `--apply` nothing changes.

use std::fmt::Write as _;
use std::process::ExitCode;

use jiff::Timestamp;

use super::error::{CommandError, IN_PART};
use super::operations::{ListOffsets, OffsetsArguments, OffsetsCommand, SeekOffsets, SkipOffset};
use super::prepare;
use super::settings::print;
use crate::client::{ControlClient, ControlReply};
use crate::instances;
use crate::kafka::{GroupPosition, PositionAction, PositionChange, SeekTarget, positions};
use crate::sqs::Sqs;
use crate::terminal::line;
use sam_template::document::nearest;
use sam_template::model::{Application, KafkaMapping};
use sam_template::project::Project;

/// Path of a running host.
const PATH: &str = "/_usher/offsets";

pub(super) fn run(arguments: &OffsetsArguments) -> Result<ExitCode, CommandError> {
    match &arguments.verb {
        OffsetsCommand::List(list) => self::list(list),
        OffsetsCommand::Skip(skip) => self::skip(skip),
        OffsetsCommand::Seek(seek) => self::seek(seek),
    }
}

fn list(arguments: &ListOffsets) -> Result<ExitCode, CommandError> {
    let (_, app) = prepare::application(&arguments.source.template, &arguments.source.arguments())?;
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
                let lags: Vec<Option<i64>> = all
                    .iter()
                    .map(|standing| positions::lag(mapping, standing))
                    .collect();
                let rows = all.into_iter().zip(lags).map(|(standing, lag)| Row {
                    standing,
                    lag,
                    to: None,
                });
                out += &table(&rows.collect::<Vec<_>>());
            }
            Err(why) => {
                troubled = true;
                let _ = writeln!(out, "  {}", line(&why));
            }
        }
    }
    print(&out)?;
    Ok(if troubled {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// A mapping and its application.
struct Subject {
    project: Project,
    app: Application,
    mapping: KafkaMapping,
}

impl Subject {
    fn of(source: &super::arguments::ApplicationArguments, id: &str) -> Result<Self, CommandError> {
        let (project, app) = prepare::application(&source.template, &source.arguments())?;
        let mapping = mapping(&app, id)?.clone();
        Ok(Self {
            project,
            app,
            mapping,
        })
    }

    /// The host that runs the mapping, if one responds at the control address. A host that runs a
    /// mapping of this name for another group was started with other arguments and is ignored.
    ///
    /// # Errors
    /// The host runs the mapping for the same group with other topics; or `control` names a host
    /// that does not run the mapping.
    fn host(&self, control: Option<&str>) -> Result<Option<ControlClient>, CommandError> {
        let address = match control {
            Some(text) => Some(text.parse().map_err(|_| {
                CommandError::configuration(format!(
                    "--control {text} is no address. Write host address and port, such as \
                     127.0.0.1:18090."
                ))
            })?),
            None => self.project.control,
        };
        let Some(client) = address.map(ControlClient::at) else {
            return Ok(None);
        };
        match prepare::runtime()?.block_on(client.get("/_usher/status")) {
            ControlReply::Answer(status) => {
                let all = status["mappings"]
                    .as_array()
                    .map(Vec::as_slice)
                    .unwrap_or_default();
                let Some(one) = all.iter().find(|one| one["mapping"] == self.mapping.id) else {
                    return Ok(None);
                };
                let group = &one["group"];
                let topics = &one["topics"];
                let same = (
                    *group == self.mapping.group,
                    *topics == serde_json::json!(self.mapping.topics),
                );
                match same {
                    (true, true) => Ok(Some(client)),
                    (false, _) if control.is_none() => Ok(None),
                    _ => Err(CommandError::configuration(format!(
                        "the running host reads {topics} as {group} in {}, these arguments say \
                         {:?} as {:?}. Name the values that usher up was started with, or stop the \
                         host first",
                        self.mapping.id, self.mapping.topics, self.mapping.group
                    ))),
                }
            }
            ControlReply::Refused(why) => Err(CommandError::failure(why)),
            ControlReply::Unreachable(_) => Ok(None),
        }
    }
}

fn skip(arguments: &SkipOffset) -> Result<ExitCode, CommandError> {
    let subject = Subject::of(&arguments.source, &arguments.mapping)?;
    let all = positions::group_positions(&subject.mapping).map_err(CommandError::failure)?;
    let standing = chosen(&subject.mapping, &all, &arguments.partition)
        .map_err(CommandError::configuration)?
        .clone();
    let next = standing
        .skip(arguments.offset)
        .map_err(CommandError::configuration)?;
    print(&table(&[Row::to(standing.clone(), next)]))?;
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
    let became = if let Some(host) = subject.host(arguments.control.as_deref())? {
        asked(&host, &change)?
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
    let target = target(&arguments.to).map_err(CommandError::configuration)?;
    let subject = Subject::of(&arguments.source, &arguments.mapping)?;
    let all = positions::group_positions(&subject.mapping).map_err(CommandError::failure)?;
    let chosen: Vec<&GroupPosition> = if arguments.partition.is_empty() {
        all.iter().collect()
    } else {
        let chosen = arguments
            .partition
            .iter()
            .map(|written| chosen(&subject.mapping, &all, written));
        chosen
            .collect::<Result<_, _>>()
            .map_err(CommandError::configuration)?
    };
    if matches!(target, SeekTarget::Offset(_)) && chosen.len() != 1 {
        return Err(CommandError::configuration(
            "an offset belongs to one partition. Name it: --partition N",
        ));
    }
    let mut rows = Vec::new();
    let mut wrong = Vec::new();
    for standing in chosen {
        let to = positions::resolve(&subject.mapping, standing, target)
            .map_err(CommandError::failure)?;
        match standing.seek(to) {
            Ok(to) => rows.push(Row::to(standing.clone(), to)),
            Err(why) => wrong.push(why),
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
    let host = subject.host(arguments.control.as_deref())?;
    let mut moved = 0;
    for Row { standing, to, .. } in &rows {
        let change = PositionChange {
            mapping: subject.mapping.id.clone(),
            topic: standing.topic.clone(),
            partition: standing.partition,
            action: PositionAction::Seek,
            offset: to.unwrap_or(standing.end),
        };
        let done = match &host {
            Some(host) => asked(host, &change).map(drop),
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
    Ok(match (wrong.is_empty(), moved) {
        (true, _) => ExitCode::SUCCESS,
        (false, 0) => ExitCode::FAILURE,
        (false, _) => ExitCode::from(IN_PART),
    })
}

/// Sends the change to the host. Returns what became of the record or the partition.
fn asked(host: &ControlClient, change: &PositionChange) -> Result<String, CommandError> {
    let who = super::settings::user();
    let body =
        serde_json::to_value(change).map_err(|error| CommandError::failure(error.to_string()))?;
    match prepare::runtime()?.block_on(host.change(PATH, &who, &body)) {
        ControlReply::Answer(answer) => {
            Ok(answer["became"].as_str().unwrap_or_default().to_owned())
        }
        ControlReply::Refused(why) => Err(CommandError::failure(why)),
        ControlReply::Unreachable(why) => Err(CommandError::failure(format!(
            "the host closed the connection ({why}); check with usher offsets list"
        ))),
    }
}

fn mapping<'a>(app: &'a Application, id: &str) -> Result<&'a KafkaMapping, CommandError> {
    app.kafka
        .iter()
        .find(|mapping| mapping.id == id)
        .ok_or_else(|| {
            let names: Vec<&str> = app
                .kafka
                .iter()
                .map(|mapping| mapping.id.as_str())
                .collect();
            let hint = nearest(id, names.iter().copied())
                .map(|near| format!(" Did you mean {near}?"))
                .unwrap_or_default();
            let all = if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            };
            CommandError::configuration(format!(
                "there is no Kafka mapping {id}.{hint} There is: {all}."
            ))
        })
}

/// The partition written as `3` or `topic-3`.
fn chosen<'a>(
    mapping: &KafkaMapping,
    all: &'a [GroupPosition],
    written: &str,
) -> Result<&'a GroupPosition, String> {
    let number = written.parse::<i32>().ok();
    if number.is_some() && mapping.topics.len() > 1 {
        return Err(format!(
            "{} reads several topics. Write the partition as TOPIC-{written}",
            mapping.id
        ));
    }
    let found = all
        .iter()
        .find(|standing| number == Some(standing.partition) || standing.name() == written);
    found.ok_or_else(|| {
        let names: Vec<String> = all.iter().map(GroupPosition::name).collect();
        format!(
            "{} has no partition {written}. It has: {}",
            mapping.id,
            names.join(", ")
        )
    })
}

fn target(written: &str) -> Result<SeekTarget, String> {
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
    time.map_err(|_| {
        format!(
            "--to {written}: write beginning, end, an offset, or a time such as \
             2026-01-31T09:00:00Z"
        )
    })
}

/// A line of the table.
struct Row {
    standing: GroupPosition,
    lag: Option<i64>,
    /// The new offset, if it changes.
    to: Option<i64>,
}

impl Row {
    /// A partition that moves. Its lag counts offsets.
    fn to(standing: GroupPosition, to: i64) -> Self {
        Self {
            lag: standing.lag(),
            standing,
            to: Some(to),
        }
    }
}

/// One line for each partition, with the new offset if it moves.
fn table(rows: &[Row]) -> String {
    let moves = rows.iter().any(|row| row.to.is_some());
    let head = if moves { "new" } else { "" };
    let mut out = format!(
        "  {:40} {:>12} {:>12} {:>12} {:>12} {head:>12}\n",
        "partition", "committed", "start", "end", "lag"
    );
    let shown =
        |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    for Row { standing, lag, to } in rows {
        let to = to.map(|to| to.to_string()).unwrap_or_default();
        let committed = shown(standing.committed);
        let lag = shown(*lag);
        let _ = writeln!(
            out,
            "  {:40} {committed:>12} {:>12} {:>12} {lag:>12} {to:>12}",
            line(&standing.name()),
            standing.start,
            standing.end
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_words_offsets_or_times() {
        assert_eq!(target("beginning"), Ok(SeekTarget::Beginning));
        assert_eq!(target("42"), Ok(SeekTarget::Offset(42)));
        assert_eq!(target("1970-01-01T00:00:01Z"), Ok(SeekTarget::Time(1_000)));
        assert!(
            target("yesterday")
                .unwrap_err()
                .contains("2026-01-31T09:00:00Z")
        );
    }
}
