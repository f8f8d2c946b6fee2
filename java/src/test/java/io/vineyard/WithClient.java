package io.vineyard;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;

/** One daemon for a class of tests, a new client for each of them. */
abstract class WithClient {
  static Daemon daemon;
  Client client;

  @BeforeAll
  static void startDaemon() {
    daemon = new Daemon("256Mi");
  }

  @AfterAll
  static void stopDaemon() {
    daemon.close();
  }

  @BeforeEach
  void connect() {
    client = daemon.connect();
  }

  @AfterEach
  void disconnect() {
    if (client.isConnected()) {
      client.clear();
    }
    client.close();
  }
}
