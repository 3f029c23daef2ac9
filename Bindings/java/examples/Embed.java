import clipcore.ClipRuntime;
import clipcore.Image;
import clipcore.Model;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.List;

/** Embeds an image and captions, and prints the cosine of each caption: Embed MODEL IMAGE CAPTION... */
public final class Embed {
  public static void main(String[] arguments) {
    if (arguments.length < 3) {
      throw new IllegalArgumentException("usage: Embed MODEL IMAGE CAPTION...");
    }
    List<String> captions = List.of(arguments).subList(2, arguments.length);
    try (ClipRuntime runtime = new ClipRuntime();
        Model model = runtime.openModel(Path.of(arguments[0]));
        Image photo = runtime.loadImage(Path.of(arguments[1]))) {
      FloatBuffer image = model.encodeImages(photo), texts = model.encodeTexts(captions, null);
      for (String caption : captions) {
        float cosine = 0;
        for (int i = 0; i < model.embeddingWidth(); i++) {
          cosine += image.get(i) * texts.get();
        }
        System.out.printf("%.3f  %s%n", cosine, caption);
      }
    }
  }
}
