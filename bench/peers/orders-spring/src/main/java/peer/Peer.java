package peer;

import java.net.URI;
import java.util.HashMap;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** The sale as a Spring application; the profile says which part of it runs. */
@SpringBootApplication
public class Peer {
    public static void main(String[] arguments) {
        Map<String, Object> properties = new HashMap<>();
        String database = System.getenv("DATABASE_URL");
        if (database != null) {
            var url = URI.create(database);
            String[] login = url.getUserInfo().split(":", 2);
            properties.put("spring.datasource.url", "jdbc:postgresql://" + url.getAuthority().split("@")[1] + url.getPath()
                + "?reWriteBatchedInserts=true&currentSchema=" + System.getenv("SCHEMA"));
            properties.put("spring.datasource.username", login[0]);
            properties.put("spring.datasource.password", login[1]);
        }
        String address = System.getenv("ADDRESS");
        if (address != null) {
            var parts = address.split(":", 2);
            properties.put("server.address", parts[0]);
            properties.put("server.port", parts[1]);
        }
        var application = new SpringApplication(Peer.class);
        application.setDefaultProperties(properties);
        application.setAdditionalProfiles(System.getenv("PROFILE"));
        application.run(arguments);
    }
}
