#include "arch/arch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace hearth {

#define ARCH(name) extern const Arch k_arch_##name;
#include "arch/list.def"
#undef ARCH

namespace {

const Arch* const kArchs[] = {
#define ARCH(name) &k_arch_##name,
#include "arch/list.def"
#undef ARCH
};

void store(Config& config, const Field& field, double value) {
  if (auto* whole = std::get_if<int64_t Config::*>(&field))
    config.*(*whole) = static_cast<int64_t>(value);
  else
    config.*std::get<double Config::*>(field) = value;
}

double load(const Config& config, const Field& field) {
  if (auto* whole = std::get_if<int64_t Config::*>(&field))
    return static_cast<double>(config.*(*whole));
  return config.*std::get<double Config::*>(field);
}

// `value` where it is what the row allows.
Result<double> checked(const HyperRow& row, std::string_view key, double value) {
  bool whole = std::holds_alternative<int64_t Config::*>(row.field);
  if (!std::isfinite(value) || value < row.min || value > row.max ||
      (whole && value != std::floor(value)))
    return fail(Code::kCorrupt, "{} is {}, which must be {} from {} to {}", key, value,
                whole ? "a whole number" : "a number", row.min, row.max);
  return value;
}

// The key that a file of this kind has for a field.
std::string key_of(const Arch& arch, bool gguf, const Field& field) {
  for (const HyperRow& row : arch.hypers)
    if (row.field == field)
      return gguf ? fmt::format("{}.{}", arch.name, row.gguf) : std::string(row.hf);
  return "a setting";
}

// What the rows leave open, and what no row can check alone.
Result<void> finish(Config& c, const Arch& arch, bool gguf) {
  auto key = [&](const Field& field) { return key_of(arch, gguf, field); };
  if (c.kv_heads == 0) c.kv_heads = c.heads;
  if (c.head_dim == 0) {
    if (c.embd % c.heads != 0)
      return fail(Code::kCorrupt, "{} is {}, which does not divide {}, {}", key(&Config::heads),
                  c.heads, key(&Config::embd), c.embd);
    c.head_dim = c.embd / c.heads;
  }
  if (c.heads % c.kv_heads != 0)
    return fail(Code::kCorrupt, "{} is {}, which does not divide {}, {}", key(&Config::kv_heads),
                c.kv_heads, key(&Config::heads), c.heads);
  if (c.head_dim % 2 != 0)
    return fail(Code::kCorrupt, "the width of a head ({}) is {}, which must be even",
                key(&Config::head_dim), c.head_dim);
  if (c.q_width() > (1 << 20))
    return fail(Code::kCorrupt, "{} heads ({}) of {} ({}) are too wide", c.heads,
                key(&Config::heads), c.head_dim, key(&Config::head_dim));
  if (c.query_scalar == 0) c.query_scalar = static_cast<double>(c.head_dim);
  return {};
}

// What completes a Config beside the rows. The names are those that both kinds of file have in
// common.
Result<void> check_finished(const Config& c) {
  if (!(c.query_scalar > 0) || !std::isfinite(c.query_scalar))
    return fail(Code::kCorrupt, "query_pre_attn_scalar is {}, which must be positive",
                c.query_scalar);
  if (c.window < 0 || c.window > INT32_MAX)
    return fail(Code::kCorrupt, "sliding_window is {}, which must be from 0 to {}", c.window,
                INT32_MAX);
  auto is_cap = [](double cap) { return std::isfinite(cap) && cap >= 0; };
  if (!is_cap(c.attn_softcap))
    return fail(Code::kCorrupt, "attn_logit_softcapping is {}, which must be 0 or more",
                c.attn_softcap);
  if (!is_cap(c.final_softcap))
    return fail(Code::kCorrupt, "final_logit_softcapping is {}, which must be 0 or more",
                c.final_softcap);
  return {};
}

}  // namespace

std::span<const Arch* const> archs() { return kArchs; }

const Arch* find_arch_gguf(std::string_view name) {
  for (const Arch* arch : kArchs)
    if (std::ranges::find(arch->gguf_names, name) != arch->gguf_names.end()) return arch;
  return nullptr;
}

const Arch* find_arch_hf(std::string_view class_name) {
  for (const Arch* arch : kArchs)
    if (std::ranges::find(arch->hf_classes, class_name) != arch->hf_classes.end()) return arch;
  return nullptr;
}

int64_t size_of(Dim dim, const Config& c) {
  switch (dim) {
    case Dim::kOne: return 1;
    case Dim::kVocab: return c.vocab;
    case Dim::kEmbd: return c.embd;
    case Dim::kFfn: return c.ffn;
    case Dim::kQ: return c.q_width();
    case Dim::kKv: return c.kv_width();
    case Dim::kHeadDim: return c.head_dim;
    case Dim::kRopePairs: return c.rope.dims / 2;
  }
  return 0;
}

std::string_view name_of(Dim dim) {
  constexpr std::string_view kNames[] = {"1",       "vocabulary",    "width",      "ffn width",
                                         "q width", "kv width",      "head width", "rotary pairs"};
  static_assert(std::size(kNames) == static_cast<size_t>(Dim::kRopePairs) + 1);
  return kNames[static_cast<size_t>(dim)];
}

std::string layer_name(std::string_view pattern, int64_t layer) {
  size_t at = pattern.find("{}");
  if (at == std::string_view::npos) return std::string(pattern);
  return fmt::format("{}{}{}", pattern.substr(0, at), layer, pattern.substr(at + 2));
}

Result<Config> read_config(const Arch& arch, const Metadata& gguf) {
  Config c;
  for (const HyperRow& row : arch.hypers) {
    if (row.gguf.empty()) continue;
    std::string key = fmt::format("{}.{}", arch.name, row.gguf);
    double value = row.fallback;
    if (row.required || gguf.find(key) != nullptr)
      value = TRY(checked(row, key, TRY(gguf.number(key))));
    store(c, row.field, value);
  }
  TRY(finish(c, arch, true));
  // Dense models may say 0; a mixture has other tensors and another forward().
  std::string experts_key = fmt::format("{}.expert_count", arch.name);
  if (uint64_t experts = TRY(gguf.uint(experts_key, 0)); experts != 0)
    return fail(Code::kUnsupported, "{} is {}: mixtures of experts are not known to Hearth yet",
                experts_key, experts);
  std::string rope_key = fmt::format("{}.rope.dimension_count", arch.name);
  uint64_t dims = TRY(gguf.uint(rope_key, static_cast<uint64_t>(c.head_dim)));
  if (dims == 0 || dims % 2 != 0 || dims > static_cast<uint64_t>(c.head_dim))
    return fail(Code::kCorrupt, "{} is {}, which must be even and at most {}", rope_key, dims,
                c.head_dim);
  c.rope = TRY(read_rope(gguf, arch.name, static_cast<int64_t>(dims)));
  c.rope.interleaved = arch.gguf_rope_interleaved;
  TRY(arch.complete(c, nullptr, &gguf));
  TRY(check_finished(c));
  return c;
}

Result<Config> read_config(const Arch& arch, const Json& hf) {
  Config c;
  for (const HyperRow& row : arch.hypers) {
    if (row.hf.empty()) continue;
    double value = row.fallback;
    const Json* found = hf.find(row.hf);
    bool present = found != nullptr && !found->is_null();
    if (present && !found->is_number())
      return fail(Code::kCorrupt, "config.json: {} must be a number, not {}", row.hf,
                  found->kind());
    if (!present && row.required) return fail(Code::kCorrupt, "config.json has no {}", row.hf);
    if (present) value = TRY(checked(row, row.hf, found->as_double()));
    store(c, row.field, value);
  }
  c.vocab = TRY(hf.get_int("vocab_size", 0));
  if (c.vocab < 1 || c.vocab > (1 << 24))
    return fail(Code::kCorrupt, "config.json: vocab_size is {}", c.vocab);
  c.tied = TRY(hf.get_bool("tie_word_embeddings", arch.name == "gemma3"));
  TRY(finish(c, arch, false));
  const Json& parameters = hf["rope_parameters"].is_object() ? hf["rope_parameters"]
                                                             : hf["rope_scaling"];
  if (!parameters["full_attention"].is_object())
    c.rope = TRY(read_rope(parameters, hf, c.head_dim));
  TRY(arch.complete(c, &hf, nullptr));
  TRY(check_finished(c));
  return c;
}

void write_config(const Arch& arch, const Config& c, Metadata& gguf) {
  auto key = [&](std::string_view suffix) { return fmt::format("{}.{}", arch.name, suffix); };
  gguf.set_string("general.architecture", std::string(arch.name));
  for (const HyperRow& row : arch.hypers) {
    if (row.gguf.empty()) continue;
    double value = load(c, row.field);
    if (std::holds_alternative<int64_t Config::*>(row.field))
      gguf.set_u32(key(row.gguf), static_cast<uint32_t>(value));
    else
      gguf.set_f32(key(row.gguf), static_cast<float>(value));
  }
  gguf.set_u32(key("attention.value_length"), static_cast<uint32_t>(c.head_dim));
  gguf.set_u32(key("rope.dimension_count"), static_cast<uint32_t>(c.rope.dims));
  gguf.set_f32(key("rope.freq_base"), static_cast<float>(c.rope.theta));
  if (c.rope_local.dims > 0)
    gguf.set_f32(key("rope.freq_base_swa"), static_cast<float>(c.rope_local.theta));
  if (c.window > 0) gguf.set_u32(key("attention.sliding_window"), static_cast<uint32_t>(c.window));
  if (c.final_softcap > 0)
    gguf.set_f32(key("final_logit_softcapping"), static_cast<float>(c.final_softcap));
  if (c.rope.scaling == RopeScaling::kLinear || c.rope.scaling == RopeScaling::kYarn) {
    bool yarn = c.rope.scaling == RopeScaling::kYarn;
    gguf.set_string(key("rope.scaling.type"), yarn ? "yarn" : "linear");
    gguf.set_f32(key("rope.scaling.factor"), static_cast<float>(c.rope.factor));
    if (yarn)
      gguf.set_u32(key("rope.scaling.original_context_length"),
                   static_cast<uint32_t>(c.rope.original_context));
  }
}

}  // namespace hearth
