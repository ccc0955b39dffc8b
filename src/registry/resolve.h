// resolve_model: from what a user typed as MODEL to what can be loaded: a name in the store, a
// path to a .gguf file, or a Hugging Face folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace hearth {

class Store;
struct StoredModel;

enum class TemplateLanguage { kNone, kJinja, kGo };

// A text with `{%` is Jinja, any other is Ollama's Go language, the empty text is none.
TemplateLanguage template_language(std::string_view text);

struct SeedMessage {
  std::string role;  // system, user, assistant
  std::string content;
};

struct ResolvedModel {
  std::string display_name;  // the shortest name with its tag, or the path as given
  std::string path;          // a .gguf file (or blob with GGUF bytes), or a folder
  std::string digest;        // 64 hex digits of the manifest; empty for paths
  // From the store; empty and kNone where the model file's own template is to be used.
  std::string template_text;
  TemplateLanguage language = TemplateLanguage::kNone;
  std::string system;
  Json params;  // object: PARAMETERs with their JSON types, "stop" an array; {} when none
  std::vector<SeedMessage> messages;
  std::vector<std::string> licenses;
  bool has_adapter = false;  // stored, but not run yet
};

// kNotFound says where it looked. Reads manifests and small layers, never the weights; for a
// safetensors model of the store it makes the folder view that the loader opens.
Result<ResolvedModel> resolve_model(const Store& store, std::string_view model);

// The same of a model that was read from the store: what has its name now does not matter.
Result<ResolvedModel> resolve_model(const Store& store, const StoredModel& model);

// Whether resolve_model() takes it for a path without a look at the store: "./x", "x.gguf".
bool names_a_path(std::string_view model);

// In the store that the environment names (HEARTH_MODELS, HEARTH_HOME).
Result<ResolvedModel> resolve_model(std::string_view model);

}  // namespace hearth
