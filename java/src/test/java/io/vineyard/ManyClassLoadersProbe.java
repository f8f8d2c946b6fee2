package io.vineyard;

import java.lang.ref.WeakReference;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A program for {@link ManyClassLoadersTest}: loads the library's classes in so many class loaders, and uses all of them. */
final class ManyClassLoadersProbe {
  private ManyClassLoadersProbe() {}

  private static AutoCloseable connect(URLClassLoader loader, String socket) throws Exception {
    return (AutoCloseable) loader.loadClass("io.vineyard.Vineyard").getMethod("connect", String.class).invoke(null, socket);
  }

  private static void use(Object client) throws Exception {
    Method put = client.getClass().getMethod("putValue", Object.class);
    Object id = put.invoke(client, "text of " + client);
    Object got = client.getClass().getMethod("getValue", id.getClass()).invoke(client, id);
    if (!got.equals("text of " + client)) {
      throw new AssertionError(got);
    }
  }

  /** `arguments`: the number of class loaders (below 0: one after the other), the folder of the classes, the daemon's socket. */
  public static void main(String[] arguments) throws Exception {
    URL[] classes = {Path.of(arguments[1]).toUri().toURL()};
    int count = Integer.parseInt(arguments[0]);
    if (count < 0) {
      System.out.println("collected: " + collected(-count, classes, arguments[2]));
      return;
    }
    List<AutoCloseable> open = new ArrayList<>();
    List<Object> clients = new ArrayList<>();
    for (int i = 0; i < count; ++i) {
      URLClassLoader loader = new URLClassLoader(classes, ClassLoader.getPlatformClassLoader());
      AutoCloseable client = connect(loader, arguments[2]);
      clients.add(client);
      open.add(client);
      open.add(loader);
    }
    for (Object client : clients) {
      use(client);
    }
    System.out.println("used: " + clients.stream().map(Object::getClass).distinct().count());
    for (AutoCloseable each : open) {
      each.close();
    }
  }

  private static WeakReference<ClassLoader> dropped(URL[] classes, String socket) throws Exception {
    try (URLClassLoader loader = new URLClassLoader(classes, ClassLoader.getPlatformClassLoader());
        AutoCloseable client = connect(loader, socket)) {
      use(client);
      return new WeakReference<>(loader);
    }
  }

  private static long collected(int count, URL[] classes, String socket) throws Exception {
    List<WeakReference<ClassLoader>> dropped = new ArrayList<>();
    for (int i = 0; i < count; ++i) {
      dropped.add(dropped(classes, socket));
    }
    long endNs = System.nanoTime() + 60_000_000_000L, gone;
    do {
      System.gc();
      Thread.sleep(20);
      gone = dropped.stream().filter(each -> each.get() == null).count();
    } while (gone < count && System.nanoTime() < endNs);
    return gone;
  }
}
