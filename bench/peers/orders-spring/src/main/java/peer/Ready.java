package peer;

import org.springframework.boot.context.event.ApplicationReadyEvent;
import org.springframework.context.annotation.Profile;
import org.springframework.context.event.EventListener;
import org.springframework.stereotype.Component;

/** Prints a line when requests are accepted. */
@Component
@Profile({"accept-map", "accept-runs"})
class Ready {
    @EventListener(ApplicationReadyEvent.class)
    void print() {
        System.out.println("ready");
        System.out.flush();
    }
}
