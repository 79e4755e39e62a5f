package peer;

import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Profile;
import org.springframework.core.NestedExceptionUtils;
import org.springframework.kafka.listener.CommonErrorHandler;
import org.springframework.kafka.listener.DefaultErrorHandler;
import org.springframework.util.backoff.FixedBackOff;

/**
 * Ends the process when an order cannot be stored, with the cause as its last line. Without this the listener repeats the order
 * nine times and then leaves it out, so that a rate would be that of failures.
 */
@Configuration
@Profile({"store-records", "store-batches"})
class Failure {
    @Bean
    CommonErrorHandler end() {
        return new DefaultErrorHandler((record, error) -> {
            String cause = NestedExceptionUtils.getMostSpecificCause(error).toString();
            System.err.println(cause.replace('\n', ' '));
            Runtime.getRuntime().halt(1);
        }, new FixedBackOff(0, 0));
    }
}
