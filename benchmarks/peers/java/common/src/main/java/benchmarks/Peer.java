package benchmarks;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;

/** What both engines are told and say: see benchmarks/processes.py. */
public final class Peer {
    public static final long WINDOW_MS = 10_000;
    private static final JsonFactory JSON = new JsonFactory();
    private static final AtomicBoolean FIRST = new AtomicBoolean();

    private Peer() {}

    public static Map<String, String> arguments(String[] given) {
        Map<String, String> arguments = new HashMap<>();
        for (int i = 0; i + 1 < given.length; i += 2) {
            arguments.put(given[i].substring(2), given[i + 1]);
        }
        return arguments;
    }

    public static void say(String word) {
        System.out.printf("%s %.3f%n", word, System.currentTimeMillis() / 1000.0);
        System.out.flush();
    }

    public static void sayFirst() {
        if (!FIRST.get() && FIRST.compareAndSet(false, true)) {
            say("first");
        }
    }

    public static void waitToBeRead() throws IOException {
        System.in.read();
    }

    /** Reads the three fields that are counted by, and nothing after them. */
    public static Event parse(byte[] line) throws IOException {
        long timeMs = -1;
        String video = null;
        String action = null;
        try (JsonParser parser = JSON.createParser(line)) {
            parser.nextToken();
            while ((timeMs < 0 || video == null || action == null)
                    && parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                parser.nextToken();
                switch (name) {
                    case "time" -> timeMs = parser.getLongValue();
                    case "video_id" -> video = parser.getText();
                    case "action" -> action = parser.getText();
                    default -> parser.skipChildren();
                }
            }
        }
        return new Event(timeMs, video + "\t" + action);
    }

    /** An event: its time, and the video and action under which it counts. */
    public record Event(long timeMs, String key) {}
}
