import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Map;
import java.util.Properties;

/** redshift-jdbc, unmodified, at a cluster's own name. */
public class RedshiftJudge {
  static int cases, disagreements;

  interface Case {
    String run() throws Exception;
  }

  static void works(String name, Case c, String want) {
    cases++;
    try {
      String got = c.run();
      if (!want.equals(got)) disagree(name, "got " + got + ", not " + want);
    } catch (Throwable e) {
      disagree(name, e.toString());
    }
  }

  static void refused(String name, Case c, String words) {
    cases++;
    try {
      disagree(name, "let in: " + c.run());
    } catch (Throwable e) {
      if (!e.toString().contains(words)) disagree(name, "refused, but not with " + words + ": " + e);
    }
  }

  static void disagree(String name, String text) {
    disagreements++;
    System.out.println("disagreement: redshift-jdbc: " + name + ": " + text.replace('\n', ' '));
  }

  static Connection connect(String... more) throws SQLException {
    Map<String, String> settings = new java.util.HashMap<>(Map.of("user", env("USER"), "password", env("PASSWORD"), "ssl", "true", "sslmode", "verify-full", "loginTimeout", "20", "sslrootcert", System.getenv("LAB_CA"), "database", env("DATABASE")));
    for (int i = 0; i < more.length; i += 2) settings.put(more[i], more[i + 1]);
    String database = settings.remove("database");
    Properties p = new Properties();
    p.putAll(settings);
    return DriverManager.getConnection("jdbc:redshift://" + env("HOST") + ":5439/" + database, p);
  }

  static String env(String name) { return System.getenv("REDSHIFT_" + name); }

  static String asked(Connection c, String... statements) throws SQLException {
    String got = "";
    try (c; Statement s = c.createStatement()) {
      for (String text : statements)
        if (s.execute(text)) try (ResultSet r = s.getResultSet()) { got = r.next() ? r.getString(1) : ""; }
    }
    return got;
  }

  static String transaction() throws SQLException {
    try (Connection c = connect(); Statement s = c.createStatement()) {
      c.setAutoCommit(false);
      s.executeQuery("select 1").close();
      c.rollback();
      s.executeQuery("select 1").close();
      c.commit();
      return String.valueOf(c.getAutoCommit());
    }
  }

  static String named() throws SQLException {
    try (Connection c = connect(); Statement s = c.createStatement(); ResultSet r = s.executeQuery("select 1 as id")) {
      r.next();
      return r.getMetaData().getColumnName(1) + " " + r.getInt("id");
    }
  }

  public static void main(String[] a) throws Exception {
    works("write and read", () -> asked(connect(), "insert into greetings values ('by redshift-jdbc')", "select greeting from greetings"), "by redshift-jdbc");
    works("a transaction", RedshiftJudge::transaction, "false");
    works("a name", RedshiftJudge::named, "id 1");
    works("is it valid", () -> { try (Connection c = connect()) { return String.valueOf(c.isValid(5)); } }, "true");
    refused("another's table", () -> asked(connect(), "select greeting from salaries"), "permission denied");
    refused("a wrong password", () -> asked(connect("password", "x"), "select 1"), "password");
    refused("another database", () -> asked(connect("database", "other"), "select 1"), "authentication failed");
    java.sql.Driver d = (java.sql.Driver) Class.forName("com.amazon.redshift.jdbc.Driver").getDeclaredConstructor().newInstance();
    System.out.println("judge: redshift-jdbc " + d.getMajorVersion() + "." + d.getMinorVersion() + ": " + cases + " cases, " + disagreements + " disagreements");
    System.exit(0);
  }
}
