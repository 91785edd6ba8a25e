import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Map;
import java.util.Properties;

/** snowflake-jdbc, unmodified, at an account's own name. */
public class SnowflakeJudge {
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
      e.printStackTrace();
      disagree(name, e.toString());
    }
  }

  static void refused(String name, Case c, String words) {
    cases++;
    try {
      disagree(name, "let in: " + c.run());
    } catch (Throwable e) {
      if (!e.toString().contains(words) && !(e instanceof SQLException s && String.valueOf(s.getErrorCode()).equals(words)))
        disagree(name, "refused, but not with " + words + ": " + e);
    }
  }

  static void disagree(String name, String text) {
    disagreements++;
    System.out.println("disagreement: snowflake-jdbc: " + name + ": " + text);
  }

  static Connection connect(Map<String, String> more) throws SQLException {
    Properties p = new Properties();
    p.put("account", env("ACCOUNT"));
    p.put("loginTimeout", "10");
    p.put("disableOCSPChecks", "true");
    p.put("tracing", "OFF");
    p.put("authenticator", "WORKLOAD_IDENTITY");
    p.put("workloadIdentityProvider", "OIDC");
    p.put("token", env("TOKEN"));
    more.forEach((k, v) -> { if (v.isEmpty()) p.remove(k); else p.put(k, v); });
    return DriverManager.getConnection("jdbc:snowflake://" + env("HOST"), p);
  }

  static Connection keys(String user) throws SQLException {
    return connect(Map.of("authenticator", "SNOWFLAKE_JWT", "token", "", "workloadIdentityProvider", "", "user", user, "private_key_file", env("KEY")));
  }

  static String env(String name) { return System.getenv("SNOWFLAKE_" + name); }

  static String asked(Connection c, String... statements) throws SQLException {
    String got = "";
    try (c; Statement s = c.createStatement()) {
      for (String text : statements)
        if (s.execute(text)) try (ResultSet r = s.getResultSet()) { got = r.next() ? r.getString(1) : ""; }
    }
    return got;
  }

  static String transaction() throws SQLException {
    try (Connection c = connect(Map.of()); Statement s = c.createStatement()) {
      c.setAutoCommit(false);
      s.executeQuery("select 1").close();
      c.commit();
      c.rollback();
      c.setAutoCommit(true);
      return String.valueOf(c.getAutoCommit());
    }
  }

  static String named() throws SQLException {
    try (Connection c = connect(Map.of()); Statement s = c.createStatement(); ResultSet r = s.executeQuery("select 1 as id")) {
      r.next();
      return r.getMetaData().getColumnName(1) + " " + r.getInt("ID");
    }
  }

  public static void main(String[] a) throws Exception {
    works("a workload identity", () -> asked(connect(Map.of()), "select current_user()"), "CARNET");
    works("a key pair", () -> asked(keys(env("KEY_USER")), "select current_user()"), "CARNET_KEYS");
    works("with a name", SnowflakeJudge::named, "ID 1");
    works("a transaction", SnowflakeJudge::transaction, "true");
    works("session settings", () -> asked(connect(Map.of("QUERY_TAG", "job")), "alter session set TIMEZONE = 'UTC'", "select 1"), "1");
    works("is it valid", () -> { try (Connection c = connect(Map.of())) { return String.valueOf(c.isValid(5)); } }, "true");
    refused("another's token", () -> asked(connect(Map.of("token", env("TOKEN").substring(0, env("TOKEN").length() - 8) + "AAAAAAAA"))), "390100");
    refused("another account", () -> asked(connect(Map.of("account", "GLOBEX-EU"))), "390201");
    refused("another user's key", () -> asked(keys("CARNET")), "390144");
    refused("a password", () -> asked(connect(Map.of("authenticator", "", "token", "", "workloadIdentityProvider", "", "user", "CARNET", "password", "x"))), "390100");
    refused("a statement that is none", () -> asked(connect(Map.of()), "drop everything"), "compilation error");
    try (Connection c = connect(Map.of())) {
      System.out.println("judge: snowflake-jdbc " + c.getMetaData().getDriverVersion() + ": " + cases + " cases, " + disagreements + " disagreements");
    }
    System.exit(0);
  }
}
