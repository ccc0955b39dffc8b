#include "server/hub_backend.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdlib>

#include "base/file.h"
#include "registry/model_name.h"

namespace hearth::server {
namespace fs = std::filesystem;
namespace {

bool is_path(const std::string& name, bool allow_paths) {
  return allow_paths && names_a_path(name);
}

// As resolve_model() reads a path, so that the stamp is that of the same file.
fs::path file_of(const std::string& name) {
  const char* home = std::getenv("HOME");
  if (home == nullptr || !name.starts_with("~/")) return name;
  return fs::path(home) / name.substr(2);
}

// A template of the store, else that of the model's file.
Result<std::optional<ChatFormat>> chat_format(const LoadedModel& model) {
  if (model.resolved.language == TemplateLanguage::kGo)
    return TRY(ChatFormat::compile_go(model.resolved.template_text));
  const std::string& own = model.resolved.template_text;
  const std::string& text = own.empty() ? model.model->chat_template : own;
  if (text.empty()) return std::nullopt;
  return TRY(ChatFormat::compile(text, *model.tokenizer));
}

}  // namespace

std::optional<FileStamp> stamp_of(const fs::path& path) {
  struct stat st;
  if (stat(path.c_str(), &st) != 0) return std::nullopt;
  return FileStamp{static_cast<uint64_t>(st.st_dev), static_cast<uint64_t>(st.st_ino),
                   static_cast<uint64_t>(st.st_size), st.st_mtim.tv_sec, st.st_mtim.tv_nsec};
}

Result<std::string> model_key(const std::string& name, bool allow_paths) {
  if (is_path(name, allow_paths)) return name;
  std::string key = TRY(ModelName::parse(name)).full();
  for (char& c : key)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return key;
}

Result<Store> StoreBackend::store() const { return store_ ? *store_ : Store::open(); }

Result<FoundModel> StoreBackend::find(const std::string& name) {
  FoundModel out;
  out.key = TRY(model_key(name, allow_paths_));
  if (is_path(name, allow_paths_)) {
    if (name.contains('\0')) return fail(Code::kInvalid, "the model's name holds a zero byte");
    out.path = file_of(name);
    auto stamp = stamp_of(out.path);
    if (!stamp) return fail_errno("open", out.path);
    out.stamp = *stamp;
    out.digest = fmt::format("{}-{}-{}-{}.{}", stamp->device, stamp->inode, stamp->bytes,
                             stamp->seconds, stamp->nanoseconds);
    return out;
  }
  const Store store = TRY(this->store());
  const ModelName parsed = TRY(ModelName::parse(name));
  auto stored = store.find(parsed);
  // The stamp goes before the reading: what changes in between is seen by the next request.
  auto stamp = stored ? stamp_of(store.manifest_path(*stored)) : std::nullopt;
  if (!stamp) return fail(Code::kNotFound, "model '{}' not found", parsed.display());
  out.path = store.manifest_path(*stored);
  out.stamp = *stamp;
  out.stored = TRY(store.read(*stored));
  out.digest = out.stored->digest;
  return out;
}

bool StoreBackend::still(const FoundModel& model) { return stamp_of(model.path) == model.stamp; }

Result<std::shared_ptr<LoadedModel>> StoreBackend::open(const FoundModel& found) {
  auto out = std::make_shared<LoadedModel>();
  out->resolved = found.stored ? TRY(resolve_model(TRY(store()), *found.stored))
                               : TRY(resolve_model(TRY(store()), found.key));
  const std::string& name = out->resolved.display_name;
  if (out->resolved.has_adapter)
    return fail(Code::kUnsupported, "{} has an adapter, which Hearth stores but cannot run yet",
                name);
  out->model = TRY(Model::load(out->resolved.path));
  out->tokenizer = TRY(load_tokenizer(out->model->file, out->resolved.path));
  auto chat = chat_format(*out);
  if (!chat) return std::unexpected(with_context(chat.error(), "the chat template of " + name));
  out->chat = std::move(*chat);
  out->weight_bytes = out->model->weight_bytes();
  return out;
}

}  // namespace hearth::server
