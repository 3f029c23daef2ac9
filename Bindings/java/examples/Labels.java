import clipcore.ClipRuntime;
import clipcore.Image;
import clipcore.Model;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** Which of some labels fits an image, without training for them: Labels MODEL IMAGE LABEL... */
public final class Labels {
  public static void main(String[] arguments) {
    if (arguments.length < 4) {
      throw new IllegalArgumentException("usage: Labels MODEL IMAGE LABEL LABEL...");
    }
    List<String> labels = List.of(arguments).subList(2, arguments.length);
    try (ClipRuntime runtime = new ClipRuntime();
        Model model = runtime.openModel(Path.of(arguments[0]));
        Image photo = runtime.loadImage(Path.of(arguments[1]))) {
      List<String> prompts = labels.stream().map(label -> "a photo of a " + label).toList();
      FloatBuffer chances = model.classify(model.encodeImages(photo), model.encodeTexts(prompts, null));
      IntStream.range(0, labels.size()).boxed().sorted(Comparator.comparing(i -> -chances.get(i)))
          .forEach(i -> System.out.printf("%5.1f %%  %s%n", 100 * chances.get(i), labels.get(i)));
    }
  }
}
