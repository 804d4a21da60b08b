import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.JDBCType;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads every view through pgJDBC, and checks the JDBC type of every column. */
public final class Jdbc {
    private static final Map<String, JDBCType> EXPECTED = Map.of(
        // Tools read it as text.
        "uuid", JDBCType.OTHER,
        "character varying", JDBCType.VARCHAR,
        "text", JDBCType.VARCHAR,
        "bigint", JDBCType.BIGINT,
        "integer", JDBCType.INTEGER,
        "double precision", JDBCType.DOUBLE,
        "boolean", JDBCType.BIT,
        "date", JDBCType.DATE,
        "timestamp with time zone", JDBCType.TIMESTAMP,
        // Only customer_freshness.age, which has age_days beside it.
        "interval", JDBCType.OTHER);

    public static void main(String[] arguments) throws Exception {
        Map<String, Map<String, String>> views = readable(Path.of(arguments[2]));
        List<String> faults = new ArrayList<>();
        try (ServerSocket door = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            bridge(door, Path.of(arguments[0]).resolve(".s.PGSQL.5432"));
            String url = "jdbc:postgresql://127.0.0.1:" + door.getLocalPort() + "/" + arguments[1]
                + "?user=bi_reader&sslmode=disable&gssEncMode=disable";
            try (Connection connection = DriverManager.getConnection(url)) {
                for (Map.Entry<String, Map<String, String>> view : views.entrySet()) {
                    check(connection, view.getKey(), view.getValue(), faults);
                }
            }
        }
        faults.forEach(System.out::println);
        if (!faults.isEmpty()) {
            System.exit(1);
        }
        System.out.println(
            "pgJDBC: " + views.size() + " views read, every column of the expected type");
    }

    private static void check(
            Connection connection, String view, Map<String, String> columns, List<String> faults)
            throws Exception {
        try (ResultSet column = connection.getMetaData().getColumns(null, "public", view, null)) {
            while (column.next()) {
                String name = column.getString("COLUMN_NAME");
                JDBCType found = JDBCType.valueOf(column.getInt("DATA_TYPE"));
                String kind = columns.get(name);
                if (found != EXPECTED.get(kind)) {
                    faults.add("pgJDBC: " + view + "." + name + " is " + kind
                        + " in Postgres and " + found + " in JDBC");
                }
            }
        }
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("select * from " + view)) {
            while (rows.next()) {
                for (int place = 1; place <= columns.size(); place++) {
                    rows.getObject(place);
                }
            }
        }
    }

    private static Map<String, Map<String, String>> readable(Path file) throws IOException {
        Map<String, Map<String, String>> views = new LinkedHashMap<>();
        for (String line : Files.readAllLines(file)) {
            String[] field = line.split(",");
            views.computeIfAbsent(field[0], name -> new LinkedHashMap<>()).put(field[1], field[2]);
        }
        return views;
    }

    /**
     * Lets one connection through from the door to a Unix socket: the server listens on nothing
     * else, and pgJDBC cannot use that.
     */
    private static void bridge(ServerSocket door, Path socket) throws IOException {
        SocketChannel server = SocketChannel.open(UnixDomainSocketAddress.of(socket));
        background(() -> {
            Socket client = door.accept();
            background(() -> {
                ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
                while (server.read(buffer) >= 0) {
                    client.getOutputStream().write(buffer.array(), 0, buffer.position());
                    buffer.clear();
                }
            });
            byte[] bytes = new byte[1 << 16];
            InputStream fromClient = client.getInputStream();
            for (int n = fromClient.read(bytes); n >= 0; n = fromClient.read(bytes)) {
                ByteBuffer buffer = ByteBuffer.wrap(bytes, 0, n);
                while (buffer.hasRemaining()) {
                    server.write(buffer);
                }
            }
        });
    }

    private interface Work {
        void run() throws IOException;
    }

    private static void background(Work work) {
        Thread thread = new Thread(() -> {
            try {
                work.run();
            } catch (IOException end) {
                // The connection was closed, which its user notices as well.
            }
        });
        thread.setDaemon(true);
        thread.start();
    }
}
