import clipcore.ClipRuntime;
import clipcore.Image;
import clipcore.Model;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;

/** Replaces the encoders of a model while threads use it: Swap MODEL IMAGE */
public final class Swap {
  public static void main(String[] arguments) throws Exception {
    if (arguments.length != 2) {
      throw new IllegalArgumentException("usage: Swap MODEL IMAGE");
    }
    var threads = Executors.newFixedThreadPool(2);
    try (ClipRuntime runtime = new ClipRuntime();
        Model model = runtime.openModel(Path.of(arguments[0]));
        Image photo = runtime.loadImage(Path.of(arguments[1]))) {
      FloatBuffer before = model.encodeImages(photo);
      var done = new AtomicBoolean();
      Callable<Integer> embed = () -> {
        int count = 0;
        for (; !done.get(); count++) {
          if (!model.encodeImages(photo).equals(before)) {
            throw new IllegalStateException("an embedding changed");
          }
        }
        return count;
      };
      List<Future<Integer>> counts = List.of(threads.submit(embed), threads.submit(embed));
      try {
        for (int i = 0; i < 10; i++) {
          model.swap(0, null, null);
        }
      } finally {
        done.set(true);
      }
      int embeddings = 0;
      for (Future<Integer> count : counts) {
        embeddings += count.get();
      }
      System.out.printf("10 swaps, %d embeddings, all the same%n", embeddings);
    } finally {
      threads.shutdown();
    }
  }
}
