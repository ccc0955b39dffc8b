// Models that are whole and lie: the file is well-formed, and what it says about itself is not so.
// Each is either refused by an error that names the key or the tensor, or answers safely.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/file.h"
#include "base/utf8.h"
#include "engine/session.h"
#include "model/chat.h"
#include "model/model.h"
#include "samples.h"
#include "watch.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

constexpr size_t kTokens = 64;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

// What a user would do with it: the first refusal on the way to two answers, or their text.
Result<std::string> answers(const TensorFile& file, const std::string& folder) {
  auto tokenizer = TRY(load_tokenizer(file, folder));
  auto model = TRY(Model::load(file, folder));
  auto format = TRY(ChatFormat::compile(model->chat_template, *tokenizer));
  std::vector<TokenId> prompt =
      TRY(format.prompt({{"user", "tok1 tok2 Hello"}}, *tokenizer)).tokens;
  prompt.resize(std::min<size_t>(prompt.size(), 20));
  if (prompt.empty()) prompt = {1};
  Runner runner(model, {.precision = Precision::kExact, .threads = 1});
  Session session = TRY(Session::create(runner, tokenizer, 64, KvType::kF16));
  std::string out;
  for (double temperature : {0.0, 0.8}) {
    auto made = TRY(session.generate(prompt, {.temperature = temperature, .max_tokens = 8}, {}));
    for (TokenId id : made.tokens) EXPECT_TRUE(id >= 0 && id < model->config.vocab) << id;
    out += made.text;
  }
  EXPECT_TRUE(is_valid_utf8(out));
  return out;
}

// `refusal`: a part of the error that says what is wrong; empty where it must answer; kEither where
// both are safe.
constexpr std::string_view kEither = "?";

class LyingModels : public testing::Test {
 protected:
  // Opens by `open` and answers; `folder` has what lies beside a checkpoint.
  template <class Open>
  void expect_file(std::string_view name, std::string_view refusal, Open&& open,
                   const std::string& folder = "") {
    Result<std::string> got = "";
    watch_.look(
        open, [&](const TensorFile& file) { return (got = answers(file, folder)) ? 0u : 1u; },
        name);
    if (!got) expect_clear(got.error());
    (got ? answered_ : refused_) += 1;
    if (refusal == kEither) return;
    if (refusal.empty()) {
      EXPECT_TRUE(got) << name << ": " << (got ? "" : got.error().message);
    } else if (got) {
      ADD_FAILURE() << name << ": answered, and should be refused for " << refusal;
    } else {
      EXPECT_NE(got.error().message.find(refusal), std::string::npos)
          << name << ": " << got.error().message;
    }
  }
  void expect(std::string_view name, std::string_view refusal, const ModelParts& parts) {
    std::string bytes = parts.bytes();
    expect_file(name, refusal, [&] { return TensorFile::open_gguf(source_of_text(bytes)); });
  }
  void TearDown() override {
    watch_.expect_bounded(testing::UnitTest::GetInstance()->current_test_info()->name());
    fmt::print("{} refused, {} answered\n", refused_, answered_);
  }

  Watch watch_;
  int refused_ = 0, answered_ = 0;
};

struct NumberLie {
  const char* key;
  double value;
  std::string_view refusal;
  bool is_float = false;
};

constexpr NumberLie kNumberLies[] = {
    {"llama.block_count", 0, "llama.block_count"},
    {"llama.block_count", 1, "blk.1."},
    {"llama.block_count", 3, "blk.2."},
    {"llama.block_count", 1e9, "llama.block_count"},
    {"llama.block_count", 4294967295, "llama.block_count"},
    {"llama.embedding_length", 0, "llama.embedding_length"},
    {"llama.embedding_length", 16, "token_embd.weight"},
    {"llama.embedding_length", 33, "llama.attention.head_count"},
    {"llama.embedding_length", 64, "token_embd.weight"},
    {"llama.embedding_length", 2147483648, "llama.embedding_length"},
    {"llama.feed_forward_length", 0, "llama.feed_forward_length"},
    {"llama.feed_forward_length", 32, "ffn_gate.weight"},
    {"llama.feed_forward_length", 65, "ffn_gate.weight"},
    {"llama.feed_forward_length", 2147483648, "llama.feed_forward_length"},
    {"llama.attention.head_count", 0, "llama.attention.head_count"},
    {"llama.attention.head_count", 3, "llama.attention.head_count"},
    {"llama.attention.head_count", 8, "attn_k.weight"},
    {"llama.attention.head_count", 32, "llama.attention.key_length"},  // one number a head
    {"llama.attention.head_count", 2147483648, "llama.attention.head_count"},
    {"llama.attention.head_count_kv", 0, "llama.attention.head_count_kv"},
    {"llama.attention.head_count_kv", 3, "llama.attention.head_count_kv"},
    {"llama.attention.head_count_kv", 4, "attn_k.weight"},
    {"llama.attention.head_count_kv", 8, "llama.attention.head_count_kv"},
    {"llama.attention.key_length", 0, "llama.attention.key_length"},
    {"llama.attention.key_length", 7, "llama.attention.key_length"},
    {"llama.attention.key_length", 16, "attn_q.weight"},
    {"llama.attention.key_length", 2147483648, "llama.attention.key_length"},
    {"llama.context_length", 0, "llama.context_length"},
    {"llama.context_length", 1, ""},  // a session may be longer than what it was trained on
    {"llama.context_length", 2147483648, "llama.context_length"},
    {"llama.context_length", 4294967295, "llama.context_length"},
    {"llama.context_length", kNan, "llama.context_length", true},
    {"llama.context_length", -1, "llama.context_length", true},
    {"llama.attention.layer_norm_rms_epsilon", 0, "", true},
    {"llama.attention.layer_norm_rms_epsilon", -1, "layer_norm_rms_epsilon", true},
    {"llama.attention.layer_norm_rms_epsilon", kNan, "layer_norm_rms_epsilon", true},
    {"llama.attention.layer_norm_rms_epsilon", kInf, "layer_norm_rms_epsilon", true},
    {"llama.attention.layer_norm_rms_epsilon", 1e30, "layer_norm_rms_epsilon", true},
    {"llama.rope.freq_base", 0, "llama.rope.freq_base", true},
    {"llama.rope.freq_base", -1, "llama.rope.freq_base", true},
    {"llama.rope.freq_base", kNan, "llama.rope.freq_base", true},
    {"llama.rope.freq_base", kInf, "llama.rope.freq_base", true},
    {"llama.rope.freq_base", 2147483648, "", true},
    {"llama.rope.dimension_count", 0, "llama.rope.dimension_count"},
    {"llama.rope.dimension_count", 3, "llama.rope.dimension_count"},
    {"llama.rope.dimension_count", 4, ""},
    {"llama.rope.dimension_count", 64, "llama.rope.dimension_count"},
    {"llama.rope.dimension_count", 2147483648, "llama.rope.dimension_count"},
    {"llama.attention.sliding_window", 1, ""},
    {"llama.attention.sliding_window", 2147483648, "sliding_window"},
    {"llama.expert_count", 8, "llama.expert_count"},
    {"tokenizer.ggml.bos_token_id", 1000, kEither},
    {"tokenizer.ggml.eos_token_id", 2147483648, kEither},
    {"tokenizer.ggml.padding_token_id", 4294967295, kEither},
};

TEST_F(LyingModels, Numbers) {
  for (const NumberLie& lie : kNumberLies) {
    ModelParts parts = sample_model(kTokens);
    if (lie.is_float) parts.metadata.set_f32(lie.key, static_cast<float>(lie.value));
    else parts.metadata.set_u32(lie.key, static_cast<uint32_t>(lie.value));
    expect(fmt::format("{} = {}", lie.key, lie.value), lie.refusal, parts);
  }
}

TEST_F(LyingModels, RopeScaling) {
  struct Case {
    std::string type;
    float factor;
    std::string_view refusal;
  };
  for (const Case& lie : std::initializer_list<Case>{{"linear", 2, ""},
                                                     {"linear", 0, "llama.rope.scaling.factor"},
                                                     {"linear", -1, "llama.rope.scaling.factor"},
                                                     {"linear", kNan, "llama.rope.scaling.factor"},
                                                     {"yarn", 4, ""},  // from the context length
                                                     {"nonsense", 2, "nonsense"}}) {
    ModelParts parts = sample_model(kTokens);
    parts.metadata.set_string("llama.rope.scaling.type", lie.type);
    parts.metadata.set_f32("llama.rope.scaling.factor", lie.factor);
    expect(fmt::format("rope scaling {} {}", lie.type, lie.factor), lie.refusal, parts);
  }
  for (uint32_t context : {0u, 2147483648u, 4294967295u}) {
    ModelParts parts = sample_model(kTokens);
    parts.metadata.set_string("llama.rope.scaling.type", "yarn");
    parts.metadata.set_f32("llama.rope.scaling.factor", 4);
    parts.metadata.set_u32("llama.rope.scaling.original_context_length", context);
    expect(fmt::format("YaRN from {}", context), "original_context_length", parts);
  }
}

TEST_F(LyingModels, KindsOfValues) {
  for (const char* key : {"llama.block_count", "llama.embedding_length", "llama.context_length",
                          "llama.attention.head_count", "llama.rope.freq_base",
                          "llama.attention.layer_norm_rms_epsilon"}) {
    ModelParts parts = sample_model(kTokens);
    parts.metadata.set_string(key, "2");
    expect(fmt::format("{} is a text", key), key, parts);
  }
  ModelParts parts = sample_model(kTokens);
  parts.metadata.set_string("general.architecture", "no-such-model");
  expect("an unknown architecture", "no-such-model", parts);
  parts = sample_model(kTokens);
  parts.metadata.set_u32("tokenizer.chat_template", 7);
  expect("a template that is a number", "tokenizer.chat_template", parts);
}

// Each tensor one row short, one row long, transposed by name, or gone.
TEST_F(LyingModels, Shapes) {
  ModelParts whole = sample_model(kTokens);
  for (size_t i = 0; i < whole.tensors.size(); ++i) {
    const std::string name = whole.tensors[i].name;
    for (int change : {-1, 1, 1000}) {
      ModelParts parts = whole;
      TensorToWrite& tensor = parts.tensors[i];
      tensor.encoding = &k_f32;  // any length is whole
      tensor.shape[0] = static_cast<uint64_t>(static_cast<int64_t>(tensor.shape[0]) + change);
      tensor.fill = small_numbers(tensor);
      // The embedding says how many tokens there are, and a prompt may not have the last.
      expect(fmt::format("{} with {} rows", name, tensor.shape[0]),
             name == "token_embd.weight" ? kEither : name, parts);
    }
    ModelParts parts = whole;
    parts.tensors.erase(parts.tensors.begin() + static_cast<int64_t>(i));
    expect(fmt::format("no {}", name), name, parts);
    parts = whole;
    parts.tensors[i].shape.push_back(32);
    parts.tensors[i].fill = small_numbers(parts.tensors[i]);
    expect(fmt::format("{} with another dimension", name), name, parts);
  }
}

TEST_F(LyingModels, Weights) {
  ModelParts whole = sample_model(kTokens);
  for (size_t i = 0; i < whole.tensors.size(); ++i) {
    std::string name = whole.tensors[i].name;
    bool is_norm = whole.tensors[i].shape.size() == 1;
    for (float value : {kNan, kInf, -kInf, 3e38f, -3e38f, 1e-45f, 0.0f}) {
      ModelParts parts = whole;
      parts.tensors[i].encoding = &k_f32;
      parts.tensors[i].fill = one_number(parts.tensors[i], value);
      // Infinite scores make a softmax of one position, and sums of huge numbers may cancel.
      std::string_view refusal = std::isnan(value)                   ? "no finite logits"
                                 : std::abs(value) < 1               ? ""
                                 : is_norm && std::isinf(value)      ? "no finite logits"
                                                                     : kEither;
      expect(fmt::format("{} of {}", name, value), refusal, parts);
    }
    if (is_norm) continue;
    for (int byte : {0xFF, 0x7C, 0x80}) {  // scales that are NaN, huge, or minus nothing
      ModelParts parts = whole;
      parts.tensors[i].fill = [byte, &tensor = whole.tensors[i]](std::vector<std::byte>& out) {
        uint64_t elems = tensor.shape[0] * tensor.shape[1];
        out.assign(tensor.encoding->bytes_of(elems), static_cast<std::byte>(byte));
        return Result<void>();
      };
      expect(fmt::format("{} of bytes {:#x}", name, byte), kEither, parts);
    }
  }
}

TEST_F(LyingModels, Vocabularies) {
  const auto texts = [](size_t count) {
    std::vector<std::string> out;
    for (size_t i = 0; i < count; ++i) out.push_back(fmt::format("t{}", i));
    return out;
  };
  ModelParts parts = sample_model(kTokens);
  parts.metadata.set_strings("tokenizer.ggml.tokens", {});
  expect("no tokens", "tokenizer.ggml.tokens", parts);
  parts = sample_model(kTokens);
  parts.metadata.set_strings("tokenizer.ggml.tokens", texts(4));
  expect("fewer tokens than rows", kEither, parts);
  parts = sample_model(kTokens);
  parts.metadata.set_strings("tokenizer.ggml.tokens", texts(1000));
  expect("more tokens than rows", kEither, parts);
  parts = sample_model(kTokens);
  parts.metadata.set_strings("tokenizer.ggml.tokens", std::vector<std::string>(kTokens, "same"));
  expect("one token 64 times", kEither, parts);
  parts = sample_model(kTokens);
  parts.metadata.set_ints("tokenizer.ggml.token_type", std::vector<int32_t>{1, 2});
  expect("fewer types than tokens", "tokenizer.ggml.token_type", parts);
  parts = sample_model(kTokens);
  parts.metadata.set_ints("tokenizer.ggml.token_type", std::vector<int32_t>(kTokens, -7));
  expect("types that are none", kEither, parts);
  parts = sample_model(kTokens);
  parts.metadata.set_strings("tokenizer.ggml.merges", {"no such", "tokens here", "single", ""});
  expect("merges of what is not there", kEither, parts);
  parts = sample_model(kTokens);
  parts.metadata.set_string("tokenizer.ggml.model", "abacus");
  expect("a tokenizer that is none", "abacus", parts);
  parts = sample_model(kTokens);
  parts.metadata.set_string("tokenizer.ggml.pre", "abacus");
  expect("a pre-tokenizer that is none", "abacus", parts);
}

// Templates that never end or only grow stop with an error that says so.
TEST_F(LyingModels, Templates) {
  for (const char* text : {"{% for i in range(1000000000) %}{{ i }}{% endfor %}",
                           "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}"
                           "{% endfor %}",
                           "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
                           "{% set ns = namespace(s='xxxxxxxxxx') %}{% for i in range(99) %}"
                           "{% set ns.s = ns.s + ns.s %}{% endfor %}",
                           "{{ 'x' * 10000000000 }}", "{{ messages[0].content * 999999999 }}",
                           "{{ 10 ** 1000000000 }}", "{% for", "{{ no_such_function() }}"}) {
    ModelParts parts = sample_model(kTokens);
    parts.metadata.set_string("tokenizer.chat_template", text);
    expect(text, "line 1", parts);
  }
}

struct JsonLie {
  const char* model;  // a folder of tests/data/models
  const char* key;    // "": several, which `value` has as an object
  const char* value;  // JSON; "" takes the key away
  std::string_view refusal;
};

constexpr JsonLie kJsonLies[] = {
    {"llama", "hidden_size", "0", "hidden_size"},
    {"llama", "hidden_size", "-1", "hidden_size"},
    {"llama", "hidden_size", "16", "embed_tokens"},
    {"llama", "hidden_size", "2147483648", "hidden_size"},
    {"llama", "hidden_size", "\"32\"", "hidden_size"},
    {"llama", "hidden_size", "32.5", "hidden_size"},
    {"llama", "hidden_size", "1e300", "hidden_size"},
    {"llama", "hidden_size", "", "hidden_size"},
    {"llama", "num_attention_heads", "0", "num_attention_heads"},
    {"llama", "num_attention_heads", "3", "num_key_value_heads"},
    {"llama", "num_attention_heads", "8", "q_proj"},
    {"llama", "num_key_value_heads", "-1", "num_key_value_heads"},
    {"llama", "num_key_value_heads", "3", "num_key_value_heads"},
    {"llama", "num_key_value_heads", "8", "num_key_value_heads"},
    {"llama", "num_key_value_heads", "4", "k_proj"},
    {"llama", "num_hidden_layers", "0", "num_hidden_layers"},
    {"llama", "num_hidden_layers", "1", "model.layers.1."},
    {"llama", "num_hidden_layers", "3", "model.layers.2."},
    {"llama", "num_hidden_layers", "1000000000", "num_hidden_layers"},
    {"llama", "intermediate_size", "32", "mlp."},
    {"llama", "intermediate_size", "9223372036854775808", "intermediate_size"},
    {"llama", "vocab_size", "0", "vocab_size"},
    {"llama", "vocab_size", "-1", "vocab_size"},
    {"llama", "vocab_size", "10", "embed_tokens"},
    {"llama", "vocab_size", "2147483648", "vocab_size"},
    {"llama", "vocab_size", "[288]", "vocab_size"},
    {"llama", "head_dim", "0", "head_dim"},
    {"llama", "head_dim", "7", "head_dim"},
    {"llama", "head_dim", "-8", "head_dim"},
    {"llama", "head_dim", "16", "q_proj"},
    {"llama", "rms_norm_eps", "-1", "rms_norm_eps"},
    {"llama", "rms_norm_eps", "0", ""},
    {"llama", "max_position_embeddings", "0", "max_position_embeddings"},
    {"llama", "max_position_embeddings", "-1", "max_position_embeddings"},
    {"llama", "max_position_embeddings", "2147483648", "max_position_embeddings"},
    {"llama", "rope_parameters", R"({"rope_theta": 0})", "rope_theta"},
    {"llama", "rope_parameters", R"({"rope_theta": -1})", "rope_theta"},
    {"llama", "rope_parameters", R"({"rope_theta": 1e300})", "rope_theta"},
    {"llama", "rope_parameters", R"({"rope_theta": "x"})", "rope_theta"},
    {"llama", "rope_parameters", R"({"rope_type": "linear", "factor": 0})", "factor"},
    {"llama", "rope_parameters", R"({"rope_type": "linear", "factor": -1})", "factor"},
    {"llama", "rope_parameters", R"({"rope_type": "yarn", "factor": 4,
        "original_max_position_embeddings": 0})", "original_max_position_embeddings"},
    {"llama", "rope_parameters", R"({"rope_type": "llama3", "factor": 8, "low_freq_factor": 4,
        "high_freq_factor": 1, "original_max_position_embeddings": 64})", "low_freq_factor"},
    {"llama", "rope_parameters", R"({"rope_type": "longest"})", "longest"},
    {"llama", "architectures", R"(["NoSuchModel"])", "NoSuchModel"},
    {"llama", "tie_word_embeddings", "\"yes\"", "tie_word_embeddings"},
    {"qwen2", "num_attention_heads", "3", "num_attention_heads"},
    {"mistral-window", "sliding_window", "0", ""},
    {"mistral-window", "sliding_window", "1", ""},
    {"mistral-window", "sliding_window", "-1", "sliding_window"},
    {"mistral-window", "sliding_window", "2147483648", "sliding_window"},
    {"mistral-window", "sliding_window", "9223372036854775808", "sliding_window"},
    {"gemma3", "query_pre_attn_scalar", "0", kEither},
    {"gemma3", "query_pre_attn_scalar", "-1", "query_pre_attn_scalar"},
    {"gemma3", "final_logit_softcapping", "-1", "final_logit_softcapping"},
    {"gemma3", "", R"({"rope_parameters": null, "rope_local_base_freq": 0})",
     "rope_local_base_freq"},
    {"gemma3", "", R"({"rope_parameters": null, "rope_local_base_freq": -1})",
     "rope_local_base_freq"},
    {"gemma3", "rope_parameters", R"({"full_attention": {"rope_theta": 10000.0},
        "sliding_attention": {"rope_theta": 0}})", "rope_theta"},
    {"gemma3", "_sliding_window_pattern", "0", kEither},
    {"gemma3", "sliding_window", "-1", "sliding_window"},
    {"gemma3", "sliding_window", "2147483648", "sliding_window"},
    {"gemma3", "head_dim", "7", "head_dim"},
    {"gemma3", "num_hidden_layers", "6", "model.layers.6."},
};

TEST_F(LyingModels, Checkpoints) {
  fs::path folder = fs::temp_directory_path() / fmt::format("hearth-lies-{}", getpid());
  for (const JsonLie& lie : kJsonLies) {
    fs::remove_all(folder);
    fs::copy(fs::path(HEARTH_TEST_DATA) / "models" / lie.model, folder);
    auto text = read_file((folder / "config.json").string(), 1 << 20);
    ASSERT_TRUE(text) << text.error().message;
    Json config = *Json::parse(*text);
    Json changed;
    for (const auto& [key, value] : config.as_object())
      if (key != lie.key) changed.set(key, value);
    Json value = *lie.value == '\0' ? Json() : *Json::parse(lie.value);
    if (*lie.key == '\0')
      for (const auto& [key, part] : value.as_object()) changed.set(key, part);
    else if (*lie.value != '\0')
      changed.set(lie.key, value);
    std::ofstream(folder / "config.json") << changed.dump();
    expect_file(fmt::format("{}: {} = {}", lie.model, lie.key, lie.value), lie.refusal,
                [&] { return TensorFile::open(folder.string()); }, folder.string());
  }
  fs::remove_all(folder);
}

}  // namespace
}  // namespace hearth
