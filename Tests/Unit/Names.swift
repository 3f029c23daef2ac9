import CClip

func testNameRules() {
  let rule = ParameterRule("blocks.{}.attn.q.{}", "layers.{}.attention.in.{}", .part(0, of: 3))
  check(rule.tensorName(for: "blocks.11.attn.q.weight") == "layers.11.attention.in.weight", "wildcards in order")
  check(rule.tensorName(for: "blocks..attn.q.weight") == nil, "a wildcard matches no empty part")
  check(rule.tensorName(for: "blocks.1.attn.q.weight.x") == nil, "a rule matches the whole name")
  check(rule.tensorName(for: "x.blocks.1.attn.q.weight") == nil, "a rule matches from the start")
  let suffix = ParameterRule(suffix: "ln.{}", "norm.{}")
  check(suffix.tensorName(for: "a.b.ln.bias") == "a.b.norm.bias", "a suffix rule keeps the prefix")
  check(suffix.tensorName(for: "a.xln.bias") == nil, "a suffix begins after a dot")
  check(rule.arrangement.tensorShape([8, 4]) == [24, 4], "a third of a tensor")
  check(ParameterRule.Arrangement.transposed.tensorShape([8, 4]) == [4, 8], "a transposed tensor")

  var tensor = [Float](repeating: 0, count: 6)
  ParameterRule.Arrangement.transposed.place([1, 2, 3, 4, 5, 6], shape: [2, 3], in: &tensor)
  check(tensor == [1, 4, 2, 5, 3, 6], "elements of a transposed tensor")
}
