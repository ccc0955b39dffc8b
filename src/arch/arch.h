// Arch: an architecture as rows. arch/NAME.cc holds the names it goes by, its hyper-parameters,
// its tensors with symbolic shapes and a role, and forward(), which composes blocks of nn/; one
// line in list.def adds it. Loading, saving, conversion, planning and tests iterate the rows.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "arch/config.h"
#include "base/json.h"
#include "base/result.h"
#include "container/metadata.h"
#include "nn/program.h"
#include "nn/weight.h"

namespace hearth {

// A dimension of a tensor, as a function of the Config.
enum class Dim : uint8_t { kOne, kVocab, kEmbd, kFfn, kQ, kKv, kHeadDim, kRopePairs };

enum class Need : uint8_t {
  kRequired,
  kOptional,
  kTied,  // where absent, the token embedding takes its place
};

// What must happen to a tensor between a checkpoint of Hugging Face and a GGUF file.
enum class Fix : uint8_t {
  kNone,
  kRopeRows,  // GGUF holds each head's rows with rotary pairs side by side
  kPlusOne,   // the checkpoint holds w - 1
};

struct TensorRow {
  std::string_view slot;  // what forward() calls it
  std::string_view gguf;  // "blk.{}.attn_q.weight"; {} is the layer
  std::string_view hf;    // "model.layers.{}.self_attn.q_proj.weight"; empty: not in checkpoints
  Dim rows, cols;
  Role role;
  Need need = Need::kRequired;
  Fix fix = Fix::kNone;

  bool per_layer() const { return gguf.find("{}") != std::string_view::npos; }
};

using Field = std::variant<int64_t Config::*, double Config::*>;

struct HyperRow {
  Field field;
  std::string_view gguf;    // after "ARCH."; empty: not in GGUF files
  std::string_view hf;      // empty: not in config.json
  bool required = true;
  double fallback = 0;      // where optional and absent
  double min = 1, max = 1e6;
};

struct Arch {
  std::string_view name;                           // ours, and the prefix of its GGUF keys
  std::span<const std::string_view> gguf_names;    // general.architecture
  std::span<const std::string_view> hf_classes;    // config.json: architectures[0]
  std::span<const HyperRow> hypers;
  std::span<const TensorRow> tensors;
  bool gguf_rope_interleaved = false;
  // Completes what the rows cannot say; `hf` is null for GGUF files, `gguf` for checkpoints.
  Result<void> (*complete)(Config& config, const Json* hf, const Metadata* gguf);
  Program (*forward)(const Config& config, std::span<const Weight> weights);
};

std::span<const Arch* const> archs();
const Arch* find_arch_gguf(std::string_view general_architecture);  // nullptr: unknown
const Arch* find_arch_hf(std::string_view class_name);

int64_t size_of(Dim dim, const Config& config);
std::string_view name_of(Dim dim);

// "blk.{}.x" with the layer in place of {}.
std::string layer_name(std::string_view pattern, int64_t layer);

// The Config of a file, by the rows, checked. Errors name the key.
Result<Config> read_config(const Arch& arch, const Metadata& gguf);
Result<Config> read_config(const Arch& arch, const Json& hf);

// The keys of a GGUF file for this Config: the inverse of read_config.
void write_config(const Arch& arch, const Config& config, Metadata& gguf);

// Rotary settings, which both file kinds spell in several ways.
Result<RopeConfig> read_rope(const Json& parameters, const Json& config, int64_t dims);
Result<RopeConfig> read_rope(const Metadata& gguf, std::string_view prefix, int64_t dims);
// Positions without scaling, whose base stands under `key`.
Result<RopeConfig> plain_rope(std::string_view key, double theta, int64_t dims);

}  // namespace hearth
