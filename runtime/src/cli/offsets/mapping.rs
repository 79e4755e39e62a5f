//! The mapping and the partition that a command names.

use std::path::Path;

use super::super::arguments::ApplicationArguments;
use super::super::control_address::control_address;
use super::super::error::CommandError;
use super::super::prepare;
use crate::client::{ControlClient, ControlReply};
use crate::sources::kafka::GroupPosition;
use sam_template::model::{Application, KafkaMapping};
use sam_template::project::Project;

/// A mapping and its application.
pub(super) struct SelectedMapping {
    pub(super) project: Project,
    pub(super) app: Application,
    pub(super) mapping: KafkaMapping,
}

impl SelectedMapping {
    pub(super) fn of(source: &ApplicationArguments, id: &str) -> Result<Self, CommandError> {
        let (project, app) = prepare::application(source)?;
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
    pub(super) fn host(
        &self,
        control: Option<&str>,
        state: &Path,
    ) -> Result<Option<ControlClient>, CommandError> {
        let address = control_address(control, state, self.project.control)?;
        let Some(client) = address.map(ControlClient::at) else {
            return Ok(None);
        };
        match prepare::runtime()?.block_on(client.get("/_usher/status")) {
            ControlReply::Answer(status) => {
                let mut all = status["mappings"].as_array().into_iter().flatten();
                let Some(one) = all.find(|one| one["mapping"] == self.mapping.id) else {
                    return Ok(None);
                };
                let group = &one["group"];
                let topics = &one["topics"];
                let same_topics = *topics == serde_json::json!(self.mapping.topics);
                match (*group == self.mapping.group, same_topics) {
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

pub(super) fn mapping<'a>(
    app: &'a Application,
    id: &str,
) -> Result<&'a KafkaMapping, CommandError> {
    let found = app.kafka.iter().find(|mapping| mapping.id == id);
    found.ok_or_else(|| {
        let names: Vec<&str> = app
            .kafka
            .iter()
            .map(|mapping| mapping.id.as_str())
            .collect();
        let message = format!("there is no Kafka mapping {id}.");
        CommandError::unknown(&message, id, "There is", &names)
    })
}

/// Why no partition is selected.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PartitionError {
    #[error("{mapping} reads several topics. Write the partition as TOPIC-{written}")]
    SeveralTopics { mapping: String, written: String },
    #[error("{mapping} has no partition {written}. It has: {known}")]
    Unknown {
        mapping: String,
        written: String,
        known: String,
    },
}

/// The partition written as `3` or `topic-3`.
pub(super) fn select_partition<'a>(
    mapping: &KafkaMapping,
    all: &'a [GroupPosition],
    written: &str,
) -> Result<&'a GroupPosition, PartitionError> {
    let number = written.parse::<i32>().ok();
    if number.is_some() && mapping.topics.len() > 1 {
        return Err(PartitionError::SeveralTopics {
            mapping: mapping.id.clone(),
            written: written.to_owned(),
        });
    }
    let found = all
        .iter()
        .find(|standing| number == Some(standing.partition) || standing.name() == written);
    found.ok_or_else(|| {
        let names: Vec<String> = all.iter().map(GroupPosition::name).collect();
        PartitionError::Unknown {
            mapping: mapping.id.clone(),
            written: written.to_owned(),
            known: names.join(", "),
        }
    })
}
