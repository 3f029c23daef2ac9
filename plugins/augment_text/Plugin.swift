import CClip
import ClipPluginKit

/// Text augmentations: EDA's four (Wei and Zou, 2019) with its meaning and defaults, and noise.
@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.augment-text", version: "0.1.0", license: "Apache-2.0") { table in
    let words = Setting.number("alpha", 0.1, 0...1, "how many of the words, at least one; 0 changes nothing")
    let each = Setting.number("alpha", 0.1, 0...1, "the probability for each word")
    let wordnet: [Setting] = [
      words, .integer("senses", 0, 0...255, "how many senses of a word are taken, the most frequent first; 0 is all"),
      .text("path", "/usr/share/wordnet", "the folder of WordNet's dictionary files"),
    ]
    table.add(
      id: "clipcore.augment.synonym-replacement", op: "synonym_replacement",
      description: "Synonyms from WordNet for some of the words (EDA)", settings: wordnet,
      text: { textAugmentation($1, $2, $3) { settings throws(PluginFailure) in try SynonymReplacement(settings) } })
    table.add(
      id: "clipcore.augment.random-insertion", op: "random_insertion",
      description: "Synonyms from WordNet put in at random places (EDA)", settings: wordnet,
      text: { textAugmentation($1, $2, $3) { settings throws(PluginFailure) in try RandomInsertion(settings) } })
    table.add(
      id: "clipcore.augment.random-swap", op: "random_swap", description: "Words that change places (EDA)",
      settings: [words], text: { textAugmentation($1, $2, $3) { RandomSwap($0) } })
    table.add(
      id: "clipcore.augment.random-deletion", op: "random_deletion", description: "Some words left out (EDA)",
      settings: [each], text: { textAugmentation($1, $2, $3) { RandomDeletion($0) } })
    table.add(
      id: "clipcore.augment.case-noise", op: "case_noise", description: "Other case for some words",
      settings: [each, .choice("change", CaseNoise.choices, "to what; any draws for each word")],
      text: { textAugmentation($1, $2, $3) { CaseNoise($0) } })
    table.add(
      id: "clipcore.augment.punctuation-noise", op: "punctuation_noise",
      description: "Punctuation that comes, goes or changes",
      settings: [
        .number("alpha", 0.1, 0...1, "the probability for each mark, and for each word without one after it"),
        .choice("change", PunctuationNoise.choices, "what is done; any does all"),
      ],
      text: { textAugmentation($1, $2, $3) { PunctuationNoise($0) } })
    table.add(
      id: "clipcore.augment.typo-noise", op: "typo_noise", description: "Slips of the hand on a keyboard",
      settings: [.number("alpha", 0.02, 0...1, "the probability for each character of a word")],
      text: { textAugmentation($1, $2, $3) { TypoNoise($0) } })
  }
}
