// Reading hyper-parameters: what a file may say, and what it may not.
#include "arch/arch.h"

#include <gtest/gtest.h>

#include <set>

namespace hearth {
namespace {

Json llama_config() {
  return *Json::parse(R"({"architectures": ["LlamaForCausalLM"], "vocab_size": 512,
    "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "rms_norm_eps": 1e-5})");
}

Code code_after(std::string key, Json value) {
  Json config = llama_config();
  config.set(std::move(key), std::move(value));
  auto read = read_config(*find_arch_hf("LlamaForCausalLM"), config);
  return read.has_value() ? Code::kInternal : read.error().code;
}

TEST(Arch, ReadsACheckpointConfig) {
  auto c = read_config(*find_arch_hf("LlamaForCausalLM"), llama_config());
  ASSERT_TRUE(c.has_value()) << c.error().message;
  EXPECT_EQ(c->head_dim, 16);
  EXPECT_EQ(c->kv_width(), 32);
  EXPECT_EQ(c->rope.theta, 10000.0);
}

TEST(Arch, RefusesConfigsThatLie) {
  EXPECT_EQ(code_after("num_attention_heads", 0), Code::kCorrupt);
  EXPECT_EQ(code_after("num_attention_heads", 3), Code::kCorrupt);
  EXPECT_EQ(code_after("num_key_value_heads", 3), Code::kCorrupt);
  EXPECT_EQ(code_after("num_hidden_layers", -1), Code::kCorrupt);
  EXPECT_EQ(code_after("num_hidden_layers", int64_t{1} << 40), Code::kCorrupt);
  EXPECT_EQ(code_after("hidden_size", "wide"), Code::kCorrupt);
  EXPECT_EQ(code_after("head_dim", 15), Code::kCorrupt);
  EXPECT_EQ(code_after("rms_norm_eps", -1.0), Code::kCorrupt);
  EXPECT_EQ(code_after("vocab_size", 0), Code::kCorrupt);
  EXPECT_EQ(code_after("rope_theta", 0.0), Code::kCorrupt);
  EXPECT_EQ(code_after("rope_theta", -5.0), Code::kCorrupt);
}

TEST(Arch, RefusesUnknownRotaryScalingByName) {
  Json scaling;
  scaling.set("rope_type", "spiral");
  EXPECT_EQ(code_after("rope_scaling", scaling), Code::kUnsupported);
}

TEST(Arch, RowsHaveUniqueSlotsAndNames) {
  for (const Arch* arch : archs()) {
    std::set<std::string_view> slots, names;
    for (const TensorRow& row : arch->tensors) {
      EXPECT_TRUE(slots.insert(row.slot).second) << arch->name << " " << row.slot;
      EXPECT_TRUE(names.insert(row.gguf).second) << arch->name << " " << row.gguf;
    }
  }
}

TEST(Arch, WrittenKeysReadBack) {
  for (const char* name : {"LlamaForCausalLM", "Qwen2ForCausalLM"}) {
    const Arch& arch = *find_arch_hf(name);
    auto c = read_config(arch, llama_config());
    ASSERT_TRUE(c.has_value());
    Metadata metadata;
    write_config(arch, *c, metadata);
    auto back = read_config(*find_arch_gguf(arch.name), metadata);
    ASSERT_TRUE(back.has_value()) << back.error().message;
    EXPECT_EQ(back->embd, c->embd);
    EXPECT_EQ(back->kv_heads, c->kv_heads);
    EXPECT_EQ(back->head_dim, c->head_dim);
    EXPECT_FLOAT_EQ(static_cast<float>(back->norm_eps), static_cast<float>(c->norm_eps));
    EXPECT_EQ(back->rope.theta, c->rope.theta);
  }
}

}  // namespace
}  // namespace hearth
