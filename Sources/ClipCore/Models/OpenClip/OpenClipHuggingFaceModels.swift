import CClip

extension OpenClipHuggingFaceText {
  /// A model of the hub: its sizes, and what else its config.json has of importance.
  struct Model {
    let name: Name
    let type: Name
    let vocabulary: Int
    let width: Int
    let layers: Int
    let heads: Int
    let mlpWidth: Int

    init(_ name: Name, _ type: Name, _ vocabulary: Int, _ width: Int, _ layers: Int, _ heads: Int, _ mlpWidth: Int) {
      (self.name, self.type, self.vocabulary, self.width) = (name, type, vocabulary, width)
      (self.layers, self.heads, self.mlpWidth) = (layers, heads, mlpWidth)
    }

    var members: [(key: Name, value: JSON)] {
      let keys: [Name]
      var others: [(key: Name, value: JSON)] = []
      switch type {
      case "mt5": keys = ["d_model", "num_layers", "num_heads", "d_ff"]
      case "m2m_100": keys = ["d_model", "encoder_layers", "encoder_attention_heads", "encoder_ffn_dim"]
      default:
        keys = ["hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"]
        if type != "bert" {
          others = [
            ("max_position_embeddings", .int(514)), ("type_vocab_size", .int(1)), ("layer_norm_eps", .double(1e-5)),
          ]
        }
      }
      let sizes = zip(keys, [width, layers, heads, mlpWidth]).map { (key: $0, value: JSON.int($1)) }
      return [("model_type", .string(type)), ("vocab_size", .int(vocabulary))] + sizes + others
    }
  }

  static var models: [Model] {
    [
      Model("roberta-base", "roberta", 50265, 768, 12, 12, 3072),
      Model("roberta-large", "roberta", 50265, 1024, 24, 16, 4096),
      Model("xlm-roberta-base", "xlm-roberta", 250002, 768, 12, 12, 3072),
      Model("xlm-roberta-large", "xlm-roberta", 250002, 1024, 24, 16, 4096),
      Model("google/mt5-small", "mt5", 250112, 512, 8, 6, 1024),
      Model("google/mt5-base", "mt5", 250112, 768, 12, 12, 2048),
      Model("google/mt5-large", "mt5", 250112, 1024, 24, 16, 2816),
      Model("google/mt5-xl", "mt5", 250112, 2048, 24, 32, 5120),
      Model("google/mt5-xxl", "mt5", 250112, 4096, 24, 64, 10240),
      Model("facebook/nllb-200-distilled-600M", "m2m_100", 256206, 1024, 12, 16, 4096),
      Model("facebook/nllb-200-distilled-1.3B", "m2m_100", 256206, 1024, 24, 16, 8192),
      Model("facebook/nllb-200-3.3B", "m2m_100", 256206, 2048, 24, 16, 8192),
      Model("LaBSE", "bert", 501153, 768, 12, 12, 3072),
      Model("LABSE", "bert", 501153, 768, 12, 12, 3072),
      Model("bert-base-uncased", "bert", 30522, 768, 12, 12, 3072),
      Model("bert-base-cased", "bert", 28996, 768, 12, 12, 3072),
      Model("bert-base-multilingual-cased", "bert", 119547, 768, 12, 12, 3072),
      Model("bert-large-uncased", "bert", 30522, 1024, 24, 16, 4096),
    ]
  }
}
