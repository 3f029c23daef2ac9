import clipcore.ClipRuntime;
import clipcore.Image;
import clipcore.Model;
import clipcore.Trainer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Trains a model for a hundred steps on images whose names are their captions: Train MODEL FOLDER OUT */
public final class Train {
  public static void main(String[] arguments) throws IOException {
    if (arguments.length != 3) {
      throw new IllegalArgumentException("usage: Train MODEL FOLDER OUT");
    }
    try (ClipRuntime runtime = new ClipRuntime(); Model model = runtime.openModel(Path.of(arguments[0]))) {
      List<Image> photos = new ArrayList<>();
      List<String> captions = new ArrayList<>(), endings = runtime.imageEndings();
      try (var files = Files.list(Path.of(arguments[1]))) {
        for (Path file : files.toList()) {
          String name = file.getFileName().toString();
          int dot = name.lastIndexOf('.');
          if (endings.contains(name.substring(dot + 1))) {
            photos.add(runtime.loadImage(file));
            captions.add(name.substring(0, dot));
          }
        }
      }
      var batch = new Trainer.Batch();
      batch.pixels = model.preprocess(photos, null);
      batch.tokens = model.tokenize(captions, null).ids();
      photos.forEach(Image::close);
      var options = new Trainer.Options();
      options.learningRate = 1e-4f;
      try (Trainer trainer = model.trainer(options)) {
        double first = trainer.evaluate(batch).loss();
        for (int i = 0; i < 100; i++) {
          trainer.step(batch);
        }
        Trainer.Metrics last = trainer.evaluate(batch);
        trainer.export(Path.of(arguments[2]), null);
        System.out.printf("step %d: loss %.3f -> %.3f%n", last.step(), first, last.loss());
      }
    }
  }
}
