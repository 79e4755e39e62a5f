//! Names of span attributes: of OpenTelemetry's semantic conventions, and of this system.

/// The method of a request: `GET`, ...
pub const HTTP_REQUEST_METHOD: &str = "http.request.method";
/// The route as the template writes it.
pub const HTTP_ROUTE: &str = "http.route";
/// Status of the answer.
pub const HTTP_RESPONSE_STATUS_CODE: &str = "http.response.status_code";
/// The path of the request.
pub const URL_PATH: &str = "url.path";
/// `http` or `https`.
pub const URL_SCHEME: &str = "url.scheme";
/// Kind of broker: `kafka`.
pub const MESSAGING_SYSTEM: &str = "messaging.system";
/// The topic.
pub const MESSAGING_DESTINATION: &str = "messaging.destination.name";
/// The partition, as text.
pub const MESSAGING_PARTITION: &str = "messaging.destination.partition.id";
/// `send`, `process`, ...
pub const MESSAGING_OPERATION_TYPE: &str = "messaging.operation.type";
/// The operation by its name in the messaging system.
pub const MESSAGING_OPERATION_NAME: &str = "messaging.operation.name";
/// The record's offset.
pub const KAFKA_OFFSET: &str = "messaging.kafka.offset";
/// Kind of error, one word.
pub const ERROR_TYPE: &str = "error.type";
/// The order's number.
pub const ORDER: &str = "usher.order";
/// The outcome, one word.
pub const OUTCOME: &str = "usher.outcome";
