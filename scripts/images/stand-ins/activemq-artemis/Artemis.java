package org.apache.activemq.artemis.boot;

import java.io.File;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What an instance's start script calls: it finds all other jars and hands over. The distribution has a class of this name
 * in a jar that is in no repository.
 */
public final class Artemis {
    private Artemis() {}

    public static void main(String[] arguments) throws Exception {
        File home = folder("artemis.home");
        File instance = folder("artemis.instance");
        File etc = folder("artemis.instance.etc");
        if (etc == null && instance != null) {
            etc = new File(instance, "etc");
        }
        List<URL> places = new ArrayList<>();
        if (etc != null) {
            places.add(etc.toURI().toURL());
        }
        File[] jars = new File(home, "lib").listFiles((folder, name) -> name.endsWith(".jar"));
        Arrays.sort(jars);
        for (File jar : jars) {
            places.add(jar.toURI().toURL());
        }
        ClassLoader loader = new URLClassLoader(places.toArray(new URL[0]));
        Thread.currentThread().setContextClassLoader(loader);
        loader.loadClass("org.apache.activemq.artemis.cli.Artemis")
                .getMethod("execute", File.class, File.class, File.class, List.class)
                .invoke(null, home, instance, etc, Arrays.asList(arguments));
    }

    private static File folder(String property) {
        String path = System.getProperty(property);
        return path == null ? null : new File(path);
    }
}
