//! The id that a cluster gives a topic when it is created (KIP-516).

use std::ffi::CString;
use std::ptr;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::bindings as native;
use rdkafka::client::Client;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

/// A native object that is destroyed on drop.
struct Owned<T> {
    object: *mut T,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// `None` for null.
    fn new(object: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        (!object.is_null()).then_some(Self { object, destroy })
    }
}

impl<T> Drop for Owned<T> {
    #[allow(unsafe_code, reason = "a native object is freed by its own function")]
    fn drop(&mut self) {
        // SAFETY: `object` is not null, is owned by this value, and is not used after this.
        unsafe { (self.destroy)(self.object) }
    }
}

/// The topic's id. `None`: the brokers have no topic ids (before Kafka 2.8). Blocks for `timeout`
/// at most.
///
/// # Errors
/// The cluster does not respond in time or has no such topic, or the client may not describe it.
#[allow(unsafe_code, reason = "rdkafka has no API for topic ids")]
pub fn topic_id<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    timeout: Duration,
) -> Result<Option<u128>, RDKafkaErrorCode> {
    let name = CString::new(topic).map_err(|_| RDKafkaErrorCode::InvalidArgument)?;
    let milliseconds = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let failed = RDKafkaErrorCode::Fail;
    let consumer = client.native_ptr();
    let mut names = [name.as_ptr()];
    // SAFETY: `consumer` is a live handle while `client` is borrowed. `names` has one
    // NUL-terminated string, which the collection copies. The other two calls create objects of
    // this handle. All three are destroyed by their own functions.
    let (topics, options, queue) = unsafe {
        (
            Owned::new(
                native::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len()),
                native::rd_kafka_TopicCollection_destroy,
            ),
            Owned::new(
                native::rd_kafka_AdminOptions_new(
                    consumer,
                    native::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
                ),
                native::rd_kafka_AdminOptions_destroy,
            ),
            Owned::new(
                native::rd_kafka_queue_new(consumer),
                native::rd_kafka_queue_destroy,
            ),
        )
    };
    let topics = topics.ok_or(failed)?;
    let options = options.ok_or(failed)?;
    let queue = queue.ok_or(failed)?;
    // SAFETY: the four objects are live; the request copies the topics and the options. A null
    // buffer of length 0 receives no error text. The poll returns null or an event that this
    // function destroys.
    let event = unsafe {
        native::rd_kafka_AdminOptions_set_request_timeout(
            options.object,
            milliseconds,
            ptr::null_mut(),
            0,
        );
        native::rd_kafka_DescribeTopics(consumer, topics.object, options.object, queue.object);
        Owned::new(
            native::rd_kafka_queue_poll(queue.object, milliseconds),
            native::rd_kafka_event_destroy,
        )
    };
    let event = event.ok_or(RDKafkaErrorCode::OperationTimedOut)?;
    // SAFETY: the event is live until the end of this function and owns everything that is read
    // here. Each pointer is checked for null before it is dereferenced; `count` is the length of
    // the list.
    unsafe {
        match native::rd_kafka_event_error(event.object) {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => {}
            error => return Err(error.into()),
        }
        let result = native::rd_kafka_event_DescribeTopics_result(event.object);
        if result.is_null() {
            return Err(failed);
        }
        let mut count = 0;
        let described = native::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if described.is_null() || count == 0 || (*described).is_null() {
            return Err(failed);
        }
        match native::rd_kafka_error_code(native::rd_kafka_TopicDescription_error(*described)) {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => {}
            error => return Err(error.into()),
        }
        let id = native::rd_kafka_TopicDescription_topic_id(*described);
        if id.is_null() {
            return Ok(None);
        }
        let half = |bits: i64| u128::from(bits.cast_unsigned());
        let id = half(native::rd_kafka_Uuid_most_significant_bits(id)) << 64
            | half(native::rd_kafka_Uuid_least_significant_bits(id));
        Ok((id != 0).then_some(id))
    }
}
