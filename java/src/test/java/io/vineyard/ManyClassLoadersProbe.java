package io.vineyard;

import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A program for {@link ManyClassLoadersTest}: loads the library's classes in so many class loaders, and uses all of them. */
final class ManyClassLoadersProbe {
  private ManyClassLoadersProbe() {}

  /** `arguments`: the number of class loaders, the folder of the classes, the daemon's socket. */
  public static void main(String[] arguments) throws Exception {
    URL[] classes = {Path.of(arguments[1]).toUri().toURL()};
    List<AutoCloseable> open = new ArrayList<>();
    List<Object> clients = new ArrayList<>();
    for (int i = 0; i < Integer.parseInt(arguments[0]); ++i) {
      URLClassLoader loader = new URLClassLoader(classes, ClassLoader.getPlatformClassLoader());
      AutoCloseable client = (AutoCloseable) loader.loadClass("io.vineyard.Vineyard").getMethod("connect", String.class)
          .invoke(null, arguments[2]);
      clients.add(client);
      open.add(client);
      open.add(loader);
    }
    for (Object client : clients) {
      Method put = client.getClass().getMethod("putValue", Object.class);
      Object id = put.invoke(client, "text of " + client);
      Object got = client.getClass().getMethod("getValue", id.getClass()).invoke(client, id);
      if (!got.equals("text of " + client)) {
        throw new AssertionError(got);
      }
    }
    System.out.println("used: " + clients.stream().map(Object::getClass).distinct().count());
    for (AutoCloseable each : open) {
      each.close();
    }
  }
}
