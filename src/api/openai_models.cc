// The list of models in OpenAI's words, with what vLLM and llama.cpp add.
#include "api/openai.h"
#include "api/openai_logprobs.h"

namespace hearth::api {
namespace {

void append_model(std::string& out, const ModelEntry& model) {
  out += "{\"id\":";
  append_json_string(out, model.id);
  out += ",\"object\":\"model\",\"created\":";
  append_number(out, model.created_s);
  out += ",\"owned_by\":";
  append_json_string(out, model.owned_by);
  out += ",\"root\":";
  append_json_string(out, model.id);
  out += ",\"parent\":null,\"max_model_len\":";
  if (model.context_max > 0) append_number(out, model.context_max);
  else out += "null";
  if (model.context_max > 0 || model.size_bytes > 0) {
    out += ",\"meta\":{";
    if (model.context_max > 0) {
      out += "\"n_ctx\":";
      append_number(out, model.context_max);
    }
    if (model.size_bytes > 0) {
      out += model.context_max > 0 ? ",\"size\":" : "\"size\":";
      append_number(out, static_cast<int64_t>(model.size_bytes));
    }
    out += '}';
  }
  out += '}';
}

}  // namespace

std::string openai_models(std::span<const ModelEntry> models) {
  std::string out = "{\"object\":\"list\",\"data\":[";
  for (const ModelEntry& model : models) {
    if (&model != models.data()) out += ',';
    append_model(out, model);
  }
  out += "]}";
  return out;
}

std::string openai_model(const ModelEntry& model) {
  std::string out;
  append_model(out, model);
  return out;
}

}  // namespace hearth::api
