import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One question with Java 11's own HttpClient, no library.
 *
 * <pre>echo 539922197704129912 | SHARING_URL=http://127.0.0.1:8532 SHARING_TOKEN=… java HubClient.java</pre>
 *
 * Exit: 0 data; 1 refused or wrong; 2 usage; 75 worth trying again later. A real client reads JSON
 * with the library it has; here a few patterns are enough to tell code and reason.
 */
public final class HubClient {
    private static final int TRIES = 4;
    private static final String QUERY =
            "query Citizen($n: String!) { citizen(by: {idNumber: $n}) "
                    + "{ name division { name } access { field state source } } }";

    private final HttpClient http =
            HttpClient.newBuilder()
                    .connectTimeout(Duration.ofSeconds(3))
                    .followRedirects(HttpClient.Redirect.NEVER)
                    .build();
    private final String url;
    private final String token;
    private final String purpose;

    HubClient(String url, String token, String purpose) {
        this.url = url;
        this.token = token;
        this.purpose = purpose;
    }

    /** The whole answer; tried again while the hub says that this may help. */
    HttpResponse<String> ask(String idNumber) throws IOException, InterruptedException {
        // The number goes into a variable, never into the document or the address.
        String body =
                "{\"query\": \"" + escaped(QUERY) + "\", \"variables\": {\"n\": \"" + escaped(idNumber) + "\"}}";
        HttpRequest request =
                HttpRequest.newBuilder(URI.create(url + "/graphql"))
                        .timeout(Duration.ofSeconds(15))
                        .header("Authorization", "Bearer " + token)
                        .header("X-Purpose", purpose)
                        .header("Content-Type", "application/json")
                        .header("Accept", "application/graphql-response+json")
                        .POST(HttpRequest.BodyPublishers.ofString(body))
                        .build();
        for (int attempt = 1; ; attempt++) {
            HttpResponse<String> response =
                    http.send(request, HttpResponse.BodyHandlers.ofString());
            if (hasData(response) || !retryable(response) || attempt == TRIES) {
                return response;
            }
            String told = response.headers().firstValue("Retry-After").orElse("");
            long seconds = told.matches("\\d{1,4}") ? Long.parseLong(told) : 1L << (attempt - 1);
            Thread.sleep(Math.min(seconds, 30) * 1000);
        }
    }

    /** Data, perhaps with parts missing since a department did not answer: that alone is no failure. */
    static boolean hasData(HttpResponse<String> response) {
        String rest = response.body().replace("\"code\":\"SOURCE_UNAVAILABLE\"", "");
        return response.statusCode() == 200
                && rest.startsWith("{\"data\":{")
                && !rest.contains("\"code\":\"");
    }

    static boolean retryable(HttpResponse<String> response) {
        return response.body().contains("\"retryable\":true");
    }

    private static String found(String body, String name) {
        Matcher matcher = Pattern.compile("\"" + name + "\":\"([^\"]*)\"").matcher(body);
        return matcher.find() ? matcher.group(1) : "";
    }

    private static String escaped(String text) {
        return text.replace("\\", "\\\\").replace("\"", "\\\"");
    }

    public static void main(String[] arguments) throws Exception {
        String url = System.getenv("SHARING_URL");
        String token = System.getenv("SHARING_TOKEN");
        if (url == null || token == null) {
            System.err.println("usage: echo ID_NUMBER | SHARING_URL=… SHARING_TOKEN=… java HubClient.java");
            System.exit(2);
        }
        String purpose = System.getenv().getOrDefault("SHARING_PURPOSE", "aid.file");
        // Standard input: what stands in a command line everybody on the machine may read.
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        HttpResponse<String> response = new HubClient(url, token, purpose).ask(input.readLine().trim());
        if (hasData(response)) {
            PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
            out.println(response.body());
            return;
        }
        String body = response.body();
        System.err.printf("%d %s %s%n", response.statusCode(), found(body, "code"), found(body, "reason"));
        System.exit(retryable(response) ? 75 : 1);
    }
}
