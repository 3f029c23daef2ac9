import CClip
import ClipPluginKit

/// Text augmentations: the four of EDA (Wei and Zou, 2019) with its semantics and defaults, and noise.
@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.augment-text", version: "0.1.0", license: "Apache-2.0") { table in
    let words = Setting.number("alpha", 0.1, 0...1, "the share of the words, at least one word; 0 changes nothing")
    let each = Setting.number("alpha", 0.1, 0...1, "the probability for each word")
    let wordnet: [Setting] = [
      words, .integer("senses", 0, 0...255, "how many senses of a word are taken, the most frequent first; 0 is all"),
      .text("path", "/usr/share/wordnet", "the folder of WordNet's dictionary files"),
    ]
    table.add(
      id: "clipcore.augment.synonym-replacement", op: "synonym_replacement",
      description: "Replaces words by synonyms from WordNet (EDA)", settings: wordnet,
      text: { create($1, $2, $3, SynonymReplacement.self) })
    table.add(
      id: "clipcore.augment.random-insertion", op: "random_insertion",
      description: "Inserts synonyms from WordNet at random places (EDA)", settings: wordnet,
      text: { create($1, $2, $3, RandomInsertion.self) })
    table.add(
      id: "clipcore.augment.random-swap", op: "random_swap", description: "Exchanges words (EDA)",
      settings: [words], text: { create($1, $2, $3, RandomSwap.self) })
    table.add(
      id: "clipcore.augment.random-deletion", op: "random_deletion", description: "Deletes words (EDA)",
      settings: [each], text: { create($1, $2, $3, RandomDeletion.self) })
    table.add(
      id: "clipcore.augment.case-noise", op: "case_noise", description: "Changes the case of words",
      settings: [each, .choice("change", CaseNoise.choices, "the new case; any draws one for each word")],
      text: { create($1, $2, $3, CaseNoise.self) })
    table.add(
      id: "clipcore.augment.punctuation-noise", op: "punctuation_noise",
      description: "Inserts, deletes and replaces punctuation",
      settings: [
        .number("alpha", 0.1, 0...1, "the probability for each mark, and for each word without one after it"),
        .choice("change", PunctuationNoise.choices, "the kind of change; any does all"),
      ],
      text: { create($1, $2, $3, PunctuationNoise.self) })
    table.add(
      id: "clipcore.augment.typo-noise", op: "typo_noise", description: "Makes typing errors",
      settings: [.number("alpha", 0.02, 0...1, "the probability for each character of a word")],
      text: { create($1, $2, $3, TypoNoise.self) })
  }
}
