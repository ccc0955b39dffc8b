#include "registry/resolve.h"

#include <sys/stat.h>

#include <filesystem>

#include "base/out_of_memory.h"
#include "registry/manifest.h"
#include "registry/store.h"

namespace hearth {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kTextBytesMax = 16 << 20;

Result<std::vector<SeedMessage>> parse_messages(std::string_view text) {
  std::vector<SeedMessage> out;
  Json json = TRY(Json::parse(text));
  if (!json.is_array()) return fail(Code::kCorrupt, "the messages are no list");
  for (const Json& item : json.as_array())
    out.push_back({TRY(item.get_string("role", "user")), TRY(item.get_string("content", ""))});
  return out;
}

// What the small layers say.
Result<void> read_layers(const Store& store, const StoredModel& model, ResolvedModel& out) {
  for (const Layer& layer : model.manifest.layers) {
    const std::string& type = layer.media_type;
    if (type == media::kAdapter) out.has_adapter = true;
    bool text_layer = type == media::kTemplate || type == media::kPrompt ||
                      type == media::kSystem || type == media::kParams ||
                      type == media::kMessages || type == media::kLicense;
    if (!text_layer) continue;
    std::string text = TRY(store.read_text(layer.digest, kTextBytesMax));
    if (type == media::kTemplate || type == media::kPrompt) out.template_text = std::move(text);
    else if (type == media::kSystem) out.system = std::move(text);
    else if (type == media::kParams) out.params = TRY(Json::parse(text));
    else if (type == media::kMessages) out.messages = TRY(parse_messages(text));
    else out.licenses.push_back(std::move(text));
  }
  if (!out.params.is_object()) out.params = Json::Object{};
  out.language = template_language(out.template_text);
  return {};
}

Result<ResolvedModel> resolve_stored(const Store& store, const StoredModel& model) {
  ResolvedModel out;
  out.display_name = model.name.display();
  out.digest = model.digest;
  if (const Layer* weights = model.manifest.find(media::kModel)) {
    if (!store.has_blob(weights->digest))
      return fail(Code::kNotFound,
                  "the weights of '{}' (blob {}) are missing; make or pull it again",
                  out.display_name, weights->digest.brief());
    out.path = store.blob_path(weights->digest).string();
  } else if (const Layer* first = model.manifest.find(media::kFile)) {
    fs::path view = TRY(materialise(store, model));
    // A split GGUF is opened by its first part, a folder as a folder.
    out.path = first->name.ends_with(".gguf") ? (view / first->name).string() : view.string();
  } else {
    return fail(Code::kUnsupported, "'{}' has no weights that Hearth can read", out.display_name);
  }
  auto layers = read_layers(store, model, out);
  if (!layers) return std::unexpected(with_context(layers.error(), out.display_name));
  return out;
}

Result<ResolvedModel> resolve_path(std::string_view model, const fs::path& path) {
  struct stat st;
  if (stat(path.c_str(), &st) != 0) return fail_errno("open", path);
  if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
    return fail(Code::kInvalid, "{} is neither a file nor a folder", path.string());
  ResolvedModel out;
  out.display_name = std::string(model);
  out.path = path.string();
  out.params = Json::Object{};
  return out;
}

fs::path expand_home(std::string_view path) {
  const char* home = std::getenv("HOME");
  if (home == nullptr || !path.starts_with("~/")) return fs::path(path);
  return fs::path(home) / path.substr(2);
}

Result<ResolvedModel> resolve(const Store& store, std::string_view model) {
  if (model.empty()) return fail(Code::kUsage, "the model has no name");
  if (model.find('\0') != std::string_view::npos)
    return fail(Code::kInvalid, "the model's name holds a zero byte");
  if (names_a_path(model)) return resolve_path(model, expand_home(model));
  auto name = ModelName::parse(model);
  if (name && store.find(*name)) return resolve_stored(store, TRY(store.read(*name)));
  std::error_code error;
  if (fs::exists(fs::path(model), error)) return resolve_path(model, fs::path(model));
  if (!name) return std::unexpected(name.error());
  return fail(Code::kNotFound,
              "there is no model '{}' in the store and no such file; hearth list shows what there "
              "is", model);
}

}  // namespace

bool names_a_path(std::string_view model) {
  return model.starts_with('/') || model.starts_with('.') || model.starts_with('~') ||
         model.ends_with(".gguf") || model.ends_with(".safetensors") || model.ends_with('/');
}

TemplateLanguage template_language(std::string_view text) {
  if (text.empty()) return TemplateLanguage::kNone;
  return text.find("{%") != std::string_view::npos ? TemplateLanguage::kJinja
                                                   : TemplateLanguage::kGo;
}

Result<ResolvedModel> resolve_model(const Store& store, std::string_view model) {
  return catching_bad_alloc([&] { return resolve(store, model); });
}

Result<ResolvedModel> resolve_model(const Store& store, const StoredModel& model) {
  return catching_bad_alloc([&] { return resolve_stored(store, model); });
}

Result<ResolvedModel> resolve_model(std::string_view model) {
  return resolve_model(TRY(Store::open()), model);
}

}  // namespace hearth
