import CClip
import ClipPluginKit

/// Back-translation, in a plugin of its own because it starts processes.
@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.augment-translate", version: "0.1.0", license: "Apache-2.0") { table in
    table.add(
      id: "clipcore.augment.back-translation", op: "back_translation",
      description: "Translates to another language and back by Apertium",
      settings: [
        .text("language", "eng", "the text's language, as Apertium's modes name it"),
        .text("through", "spa", "the intermediate language, as Apertium's modes name it"),
        .number("timeout", 10, 0.01...3600, "seconds for one sentence in one direction"),
        .text(
          "command",
          """
          script=$(apertium-wblank-mode -z "${APERTIUM_DATADIR:-/usr/share/apertium}/modes/$1.mode") && \
          set -- -n "" && eval "$script"
          """,
          "what /bin/sh runs, with the mode as $1: Apertium's stream format, texts ended by NUL"),
      ],
      text: { create($1, $2, $3, BackTranslation.self) })
  }
}
