// POST /api/create: a model from another one or from uploaded blobs.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "api/ollama_fields.h"
#include "api/ollama_store.h"
#include "base/log.h"
#include "container/tensor_file.h"
#include "registry/create.h"
#include "registry/parameters.h"
#include "template/go/go_template.h"
#include "template/template.h"

namespace hearth::api {
namespace {

using namespace ollama;
namespace fs = std::filesystem;

constexpr size_t kFilesMax = 10'000;

struct CreateFields {
  std::string model, name, from, template_text, system, renderer, parser, required;
  std::string quantize, quantization, draft_quantize, remote_host;
  const Json* files = nullptr;
  const Json* adapters = nullptr;
  const Json* license = nullptr;
  const Json* parameters = nullptr;
  const Json* messages = nullptr;
  const Json* draft_files = nullptr;
  bool stream = true;
};
constexpr FieldRow<CreateFields> kRows[] = {
    {"model", &CreateFields::model},
    {"name", &CreateFields::name},
    {"stream", &CreateFields::stream},
    {"from", &CreateFields::from},
    {"files", &CreateFields::files},
    {"adapters", &CreateFields::adapters},
    {"template", &CreateFields::template_text},
    {"license", &CreateFields::license},
    {"system", &CreateFields::system},
    {"parameters", &CreateFields::parameters},
    {"messages", &CreateFields::messages},
    {"renderer", &CreateFields::renderer},
    {"parser", &CreateFields::parser},
    {"requires", &CreateFields::required},
    {"quantize", &CreateFields::quantize},
    {"quantization", &CreateFields::quantization},
    {"draft_files", &CreateFields::draft_files},
    {"draft_quantize", &CreateFields::draft_quantize},
    {"remote_host", &CreateFields::remote_host},
};

struct MessageFields {
  std::string role, content;
  const Json* images = nullptr;
  const Json* tool_calls = nullptr;
};
constexpr FieldRow<MessageFields> kMessageRows[] = {
    {"role", &MessageFields::role},
    {"content", &MessageFields::content},
    {"images", &MessageFields::images},
    {"tool_calls", &MessageFields::tool_calls},
};

// A file of `files` or `adapters`.
struct GivenFile {
  std::string name;
  Digest digest;
};

// A folder of links to blobs under the names that the client gave them, as create_model wants to
// see a model of several files. Gone at the end.
class LinkFolder {
 public:
  static Result<LinkFolder> make() {
    std::error_code error;
    std::string pattern = (fs::temp_directory_path(error) / "hearth-create-XXXXXX").string();
    if (error || mkdtemp(pattern.data()) == nullptr) return fail_errno("make the folder", pattern);
    return LinkFolder(pattern);
  }
  LinkFolder(LinkFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  LinkFolder& operator=(LinkFolder&&) = delete;
  ~LinkFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

  Result<void> add(const Store& store, const GivenFile& file) const {
    fs::path link = path_ / file.name;
    TRY(make_folders(link.parent_path()));
    std::error_code error;
    fs::create_symlink(fs::absolute(store.blob_path(file.digest), error), link, error);
    if (error) return fail(Code::kIo, "cannot link {}: {}", file.name, error.message());
    return {};
  }

 private:
  explicit LinkFolder(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

ApiResult<void> check_path(std::string_view field, std::string_view name) {
  if (name.starts_with('/') || name.find("..") != name.npos || name.find('\\') != name.npos)
    return refuse(field, "file path must be relative");
  if (auto checked = check_file_name(name); !checked)
    return refuse(field, std::move(checked).error());
  return {};
}

// {"path": "sha256:HEX"}, each of which must be in the store.
ApiResult<std::vector<GivenFile>> read_files(const Store& store, std::string_view field,
                                             const Json* value) {
  std::vector<GivenFile> out;
  if (value == nullptr) return out;
  if (!value->is_object()) return refuse_kind(field, "an object", *value);
  if (value->as_object().size() > kFilesMax)
    return refuse(field, "{} takes at most {} files", field, kFilesMax);
  std::set<std::string_view> names;
  for (const auto& [name, digest_text] : value->as_object()) {
    TRY(check_path(field, name));
    if (!names.insert(name).second) return refuse(field, "{} names {} twice", field, name);
    auto digest = Digest::parse(digest_text.is_string() ? digest_text.as_string() : "");
    if (!digest) return refuse(field, "invalid digest format");
    if (!store.has_blob(*digest))
      return refuse(field, "{}: the store has no blob {}; upload it first", name, digest->text());
    out.push_back({name, std::move(*digest)});
  }
  return out;
}

ApiResult<void> take_license(const Json* license, Modelfile& out) {
  if (license == nullptr) return {};
  bool list = license->is_array();
  Json::Array one = {*license};
  for (const Json& item : list ? license->as_array() : one) {
    if (!item.is_string()) return refuse_kind("license", "a string or a list of strings", item);
    if (list || !item.as_string().empty()) out.licenses.push_back(item.as_string());
  }
  return {};
}

ApiResult<void> take_messages(const Json* messages, Modelfile& out) {
  if (messages == nullptr) return {};
  if (!messages->is_array()) return refuse_kind("messages", "an array", *messages);
  for (const Json& item : messages->as_array()) {
    std::string at = fmt::format("messages[{}].", out.messages.size());
    MessageFields fields;
    TRY(read_fields<MessageFields>(item, kMessageRows, fields, at));
    for (auto [name, value] : {std::pair{"images", fields.images},
                               std::pair{"tool_calls", fields.tool_calls}})
      if (value != nullptr && !is_empty(*value)) return refuse_unbuilt(at + name);
    if (fields.role != "system" && fields.role != "user" && fields.role != "assistant")
      return refuse(at + "role", "{}role must be one of system, user and assistant", at);
    out.messages.push_back({std::move(fields.role), std::move(fields.content)});
  }
  return {};
}

ApiResult<void> take_template(std::string text, Modelfile& out) {
  if (text.empty()) return {};
  Error error;
  bool good = true;
  auto judge = [&](auto compiled) {
    good = compiled.has_value();
    if (!good) error = std::move(compiled).error();
  };
  if (template_language(text) == TemplateLanguage::kJinja) judge(Template::compile(text));
  else judge(GoTemplate::compile(text));
  if (!good) return refuse("template", "template error: {}", error.message);
  out.template_text = std::move(text);
  return {};
}

ApiResult<void> take_parameters(const Json* parameters, Modelfile& out) {
  out.parameters = Options(parameter_rows());
  if (parameters == nullptr) return {};
  TRY(check_lists(*parameters));
  auto options = parameters_from_json(*parameters);
  if (!options) return refuse("parameters", std::move(options).error());
  out.parameters = std::move(*options);
  return {};
}

// Everything but FROM and ADAPTER.
ApiResult<Modelfile> read_texts(CreateFields& fields) {
  Modelfile out;
  for (auto [name, given] : {std::pair{"quantize", !fields.quantize.empty()},
                             std::pair{"quantization", !fields.quantization.empty()},
                             std::pair{"draft_quantize", !fields.draft_quantize.empty()},
                             std::pair{"remote_host", !fields.remote_host.empty()}})
    if (given) return refuse_unbuilt(name);
  if (fields.draft_files != nullptr && !is_empty(*fields.draft_files))
    return refuse_unbuilt("draft_files");
  TRY(take_license(fields.license, out));
  TRY(take_messages(fields.messages, out));
  TRY(take_parameters(fields.parameters, out));
  TRY(take_template(std::move(fields.template_text), out));
  if (!fields.system.empty()) out.system = std::move(fields.system);
  for (auto [name, text] : {std::pair{"renderer", &fields.renderer},
                            std::pair{"parser", &fields.parser},
                            std::pair{"requires", &fields.required}})
    if (!text->empty()) out.extras.emplace_back(name, *text);
  return out;
}

// What becomes of `files`: a FROM that create_model follows, over links where they are several.
class FilesSource {
 public:
  FilesSource(const Store& store, std::vector<GivenFile> files, std::vector<GivenFile> adapters)
      : store_(store), files_(std::move(files)), adapters_(std::move(adapters)) {}

  ApiResult<void> add_to(Modelfile& out) {
    if (adapters_.size() > 1)
      return refuse("adapters", "only one adapter is currently supported");
    for (const GivenFile& adapter : adapters_) {
      auto path = link("adapter", adapter);
      if (!path) return refuse("adapters", std::move(path).error());
      out.adapters.push_back({*path});
    }
    if (files_.empty()) return {};
    auto from = sources();
    if (!from) return refuse("files", std::move(from).error());
    for (std::string& text : *from) out.from.push_back({std::move(text)});
    return {};
  }

  // Where its links lie; empty without any. For whoever reads about it, they are "files".
  std::string folder() const { return links_ ? links_->path().string() : std::string(); }

  bool safetensors() const {
    return std::ranges::any_of(
        files_, [](const GivenFile& file) { return file.name.ends_with(".safetensors"); });
  }

 private:
  // The path of a link to one file, in a folder of its own.
  Result<std::string> link(std::string_view folder, const GivenFile& file) {
    if (!links_) links_.emplace(TRY(LinkFolder::make()));
    GivenFile at{fmt::format("{}/{}", folder, file.name), file.digest};
    TRY(links_->add(store_, at));
    return (links_->path() / at.name).string();
  }

  Result<std::vector<std::string>> sources() {
    if (safetensors()) {
      for (const GivenFile& file : files_) TRY(link("model", file));
      return std::vector{(links_->path() / "model").string()};
    }
    // A blob that is to be the whole model is referred to where it lies.
    if (files_.size() == 1) {
      auto opened = TensorFile::open(store_.blob_path(files_[0].digest).string());
      if (!opened && !files_[0].name.ends_with(".gguf"))
        return fail(Code::kInvalid, "unknown type: {} is neither GGUF nor safetensors",
                    files_[0].name);
      return std::vector{files_[0].digest.text()};
    }
    return gguf_sources();
  }

  // The first part of a split model or the one file of a whole one, then its projectors.
  Result<std::vector<std::string>> gguf_sources() {
    std::vector<std::string> models, projectors;
    for (const GivenFile& file : files_) {
      std::string path = TRY(link("model", file));
      bool later_part = file.name.find("-of-") != file.name.npos &&
                        file.name.find("-00001-of-") == file.name.npos;
      if (later_part) continue;
      auto opened = TensorFile::open(store_.blob_path(file.digest).string());
      bool clip = opened && opened->metadata().text("general.architecture", "").value_or("") ==
                                "clip";
      (clip ? projectors : models).push_back(std::move(path));
    }
    if (models.size() != 1)
      return fail(Code::kInvalid, "files must hold one GGUF model and may hold projectors, and "
                                  "these hold {} models", models.size());
    std::ranges::move(projectors, std::back_inserter(models));
    return models;
  }

  const Store& store_;
  std::vector<GivenFile> files_, adapters_;
  std::optional<LinkFolder> links_;
};

std::string status_line(std::string_view status) {
  std::string out = "{\"status\":";
  append_json_string(out, status);
  return out + "}";
}

// Bytes copied, a line every so often.
ProgressFunction copy_lines(const LineSink& progress) {
  using Clock = std::chrono::steady_clock;
  return [&progress, last = Clock::time_point{}](uint64_t done, uint64_t total) mutable {
    constexpr std::chrono::milliseconds kInterval{60};
    auto now = Clock::now();
    if (done < total && now - last < kInterval) return;
    last = now;
    progress(fmt::format("{{\"status\":\"copying files\",\"total\":{},\"completed\":{}}}", total,
                         done));
  };
}

// What was in the store before this create is used; what came with it is new.
void layer_lines(const Manifest& manifest, const std::set<Digest>& before,
                 const LineSink& progress) {
  for (const Layer& layer : manifest.layers)
    progress(status_line(fmt::format("{} layer {}",
                                     before.contains(layer.digest) ? "using existing"
                                                                   : "creating new",
                                     layer.digest.text())));
}

// One create, whose body was read.
class Creation {
 public:
  Creation(const Store& store, const LineSink& progress) : store_(store), progress_(progress) {}

  ApiResult<void> run(CreateFields fields) {
    auto name = ModelName::parse(fields.model.empty() ? fields.name : fields.model);
    if (!name) return std::unexpected(ollama_invalid_name());
    Modelfile recipe = TRY(read_texts(fields));
    auto files = TRY(read_files(store_, "files", fields.files));
    auto adapters = TRY(read_files(store_, "adapters", fields.adapters));
    for (const auto* list : {&files, &adapters})
      for (const GivenFile& file : *list) before_.insert(file.digest);
    if (fields.from.empty() && files.empty())
      return refuse("from", "neither 'from' or 'files' was specified");
    // As in Ollama, `from` is looked at first, and then `files` are not.
    if (!fields.from.empty()) {
      files.clear();
      TRY(take_parent(fields.from, recipe));
    }
    bool whole = !files.empty();
    FilesSource source(store_, std::move(files), std::move(adapters));
    TRY(source.add_to(recipe));
    if (whole) progress_(status_line(source.safetensors() ? "reading files" : "parsing GGUF"));
    return make(std::move(*name), std::move(recipe), source.folder());
  }

 private:
  ApiResult<void> take_parent(const std::string& from, Modelfile& out) {
    auto name = ModelName::parse(from);
    if (!name) return std::unexpected(ollama_invalid_name());
    auto found = store_.find(*name);
    if (!found) return std::unexpected(ollama_model_not_found(from));
    auto parent = store_.read(*found);
    if (!parent) return refuse("from", std::move(parent).error());
    for (const Layer& layer : parent->manifest.layers) before_.insert(layer.digest);
    out.from.push_back({found->full()});
    return {};
  }

  ApiResult<void> make(ModelName name, Modelfile recipe, const std::string& folder) {
    // FROM is a name, a digest or an absolute path by now. Relative ones would start at a folder
    // where there are none, so that no name is taken for a path.
    auto made = create_model(store_, {.name = std::move(name),
                                      .modelfile = std::move(recipe),
                                      .base = store_.folder() / "blobs",
                                      .progress = copy_lines(progress_)});
    if (!made) return refuse("files", for_clients(std::move(made).error(), folder));
    for (const std::string& warning : made->warnings) log(LogLevel::kWarn, "{}", warning);
    if (auto stored = store_.read(made->name)) layer_lines(stored->manifest, before_, progress_);
    progress_(status_line("writing manifest"));
    return {};
  }

  // What was sent is at fault, not we; and our folder is none of theirs.
  static Error for_clients(Error error, const std::string& folder) {
    for (Code code : {Code::kCorrupt, Code::kNotFound, Code::kUnsupported, Code::kUsage})
      if (error.code == code) error.code = Code::kInvalid;
    size_t at = folder.empty() ? std::string::npos : error.message.find(folder);
    if (at != std::string::npos) error.message.replace(at, folder.size(), "files");
    return error;
  }

  const Store& store_;
  const LineSink& progress_;
  std::set<Digest> before_;
};

}  // namespace

ApiReply ollama_create(const Store& store, const Json& body, const LineSink& progress) {
  LineSink sink = progress ? progress : [](std::string) {};
  auto done = catching_memory([&]() -> ApiResult<void> {
    CreateFields fields;
    TRY(read_fields<CreateFields>(body, kRows, fields));
    return Creation(store, sink).run(std::move(fields));
  });
  if (!done) return ollama_error(done.error());
  return {.status = 200, .body = status_line("success")};
}

}  // namespace hearth::api
