#include "registry/parameters.h"

#include <fmt/format.h>

#include <cmath>

#include "base/log.h"
#include "base/out_of_memory.h"
#include "base/sampling_params.h"

namespace hearth {
namespace {

constexpr OptionType kInt = OptionType::kInt, kFloat = OptionType::kFloat,
                     kFlag = OptionType::kFlag;
constexpr double kMany = 2147483647;

// The parameters that are not the sampler's, whose rows are in base/sampling_params.cc.
constexpr OptionRow kOwnRows[] = {
    {.name = "num_ctx", .type = kInt, .min = 4, .max = 1 << 24, .text = "tokens of context"},
    {.name = "num_batch", .type = kInt, .min = 1, .max = 1 << 20,
     .text = "tokens of a prompt per step"},
    {.name = "num_gpu", .type = kInt, .min = -1, .max = kMany,
     .text = "layers on the GPU; -1: automatic"},
    {.name = "main_gpu", .type = kInt, .min = 0, .max = 1024, .text = "the GPU for small tensors"},
    {.name = "num_thread", .type = kInt, .min = 0, .max = 1024, .text = "threads; 0: automatic"},
    {.name = "use_mmap", .type = kFlag, .text = "map the file instead of reading it"},
    {.name = "draft_num_predict", .type = kInt, .min = 0, .max = 1024,
     .text = "depth of speculation"},
    // Names of older releases: accepted, and without effect.
    {.name = "penalize_newline", .type = kFlag, .hidden = true},
    {.name = "low_vram", .type = kFlag, .hidden = true},
    {.name = "f16_kv", .type = kFlag, .hidden = true},
    {.name = "logits_all", .type = kFlag, .hidden = true},
    {.name = "vocab_only", .type = kFlag, .hidden = true},
    {.name = "use_mlock", .type = kFlag, .hidden = true},
    {.name = "numa", .type = kFlag, .hidden = true},
    {.name = "embedding_only", .type = kFlag, .hidden = true},
    {.name = "tfs_z", .type = kFloat, .hidden = true},
};

std::vector<OptionRow> all_rows() {
  std::vector<OptionRow> rows;
  for (const SamplingRow& row : sampling_rows()) rows.push_back(row.option);
  rows.insert(rows.end(), std::begin(kOwnRows), std::end(kOwnRows));
  return rows;
}

// One JSON value as the text that Options::set takes.
Result<std::string> value_text(std::string_view name, const Json& value) {
  if (value.is_string()) return value.as_string();
  if (value.is_bool()) return std::string(value.as_bool() ? "true" : "false");
  if (value.is_int()) return fmt::format("{}", value.as_int());
  if (value.is_double()) {
    // Writers that know only floats give 40.0 for an integer.
    double number = value.as_double();
    if (number > -9e15 && number < 9e15 && number == std::trunc(number))
      return fmt::format("{}", static_cast<int64_t>(number));
    return fmt::format("{}", number);
  }
  return fail(Code::kInvalid, "the parameter {} cannot be of the type {}", name, value.kind());
}

Result<Options> read_parameters(const Json& params) {
  Options out{parameter_rows()};
  if (params.is_null()) return out;
  if (!params.is_object()) return fail(Code::kInvalid, "parameters are no JSON object");
  for (const auto& [name, value] : params.as_object()) {
    if (out.find_row(name) == nullptr) {
      log(LogLevel::kInfo, "the model's parameter '{}' is not known here", name);
      continue;
    }
    if (value.is_null()) continue;
    if (!value.is_array()) {
      TRY(out.set(name, TRY(value_text(name, value))));
      continue;
    }
    if (!out.find_row(name)->many)
      return fail(Code::kInvalid, "the parameter {} takes one value, not a list", name);
    for (const Json& item : value.as_array()) TRY(out.set(name, TRY(value_text(name, item))));
  }
  return out;
}

}  // namespace

std::span<const OptionRow> parameter_rows() {
  static const std::vector<OptionRow> rows = all_rows();
  return rows;
}

Json parameters_to_json(const Options& parameters) {
  Json out = Json::Object{};
  for (const OptionRow& row : parameters.rows()) {
    if (!parameters.given(row.name)) continue;
    std::string name(row.name);
    if (row.many) {
      Json list = Json::Array{};
      for (const std::string& text : parameters.list(row.name)) list.push_back(text);
      out.set(name, std::move(list));
    } else if (row.type == OptionType::kInt) {
      out.set(name, parameters.integer(row.name));
    } else if (row.type == OptionType::kFloat) {
      out.set(name, parameters.number(row.name));
    } else if (row.type == OptionType::kFlag) {
      out.set(name, parameters.flag(row.name));
    } else {
      out.set(name, parameters.text(row.name));
    }
  }
  return out;
}

Result<Options> parameters_from_json(const Json& params) {
  return catching_bad_alloc([&] { return read_parameters(params); });
}

}  // namespace hearth
