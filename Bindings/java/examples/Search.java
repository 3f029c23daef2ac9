import clipcore.ClipRuntime;
import clipcore.Entry;
import clipcore.Image;
import clipcore.Index;
import clipcore.Model;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Indexes the images of a folder and searches them by text: Search MODEL FOLDER INDEX QUERY */
public final class Search {
  public static void main(String[] arguments) throws IOException {
    if (arguments.length != 4) {
      throw new IllegalArgumentException("usage: Search MODEL FOLDER INDEX QUERY");
    }
    Path folder = Path.of(arguments[0]);
    try (ClipRuntime runtime = new ClipRuntime(); Model model = runtime.openModel(folder)) {
      var options = new Index.Options();
      options.create = true;
      options.fingerprint = Index.fingerprint(folder);
      options.embeddingWidth = model.embeddingWidth();
      List<String> endings = runtime.imageEndings();
      try (Index index = runtime.openIndex(Path.of(arguments[2]), options); var files = Files.list(Path.of(arguments[1]))) {
        for (Path file : files.toList()) {
          String name = file.toString();
          if (endings.contains(name.substring(name.lastIndexOf('.') + 1).toLowerCase())) {
            try (Image photo = runtime.loadImage(file)) {
              index.put(List.of(name.getBytes(StandardCharsets.UTF_8)), model.encodeImages(photo), null);
            }
          }
        }
        var three = new Index.SearchOptions();
        three.count = 3;
        for (Entry found : index.search(model.encodeTexts(arguments[3]), three)) {
          System.out.printf("%.3f  %s%n", found.score(), found.keyText());
        }
      }
    }
  }
}
