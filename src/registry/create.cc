#include "registry/create.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "container/tensor_file.h"
#include "registry/describe.h"
#include "registry/model_source.h"
#include "registry/parameters.h"
#include "registry/store_files.h"

namespace hearth {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kProjector = "application/vnd.ollama.image.projector";

class Creator {
 public:
  Creator(const Store& store, const StoreWriter& writer, const CreateRequest& request)
      : store_(store), writer_(writer), request_(request) {
    out_.warnings = request.modelfile.warnings;
  }

  Result<CreateResult> run() {
    const Modelfile& recipe = request_.modelfile;
    for (size_t i = 0; i < recipe.from.size(); ++i) {
      auto taken = i == 0 ? take_model(recipe.from[i].text) : take_extra(recipe.from[i].text);
      if (!taken) return at_line(taken.error(), recipe.from[i].line);
    }
    for (const Modelfile::Source& adapter : recipe.adapters)
      if (auto taken = take_adapter(adapter.text); !taken)
        return at_line(taken.error(), adapter.line);
    TRY(take_texts());
    Layer config = TRY(write_config());
    Manifest manifest{std::move(config), std::move(layers_)};
    out_.digest = TRY(writer_.write_manifest(request_.name, manifest));
    out_.name = store_.find(request_.name).value_or(request_.name);
    return std::move(out_);
  }

 private:
  static std::unexpected<Error> at_line(Error error, int line) {
    if (line == 0) return std::unexpected(std::move(error));
    return std::unexpected(with_context(std::move(error), fmt::format("line {}", line)));
  }

  fs::path path_of(std::string_view text) const { return source_path(text, request_.base); }

  Result<void> take_model(const std::string& text) {
    ModelSource source = TRY(find_source(text, request_.base, out_.warnings));
    switch (source.kind) {
      case ModelSource::Kind::kStored: return take_stored(TRY(ModelName::parse(source.name)));
      case ModelSource::Kind::kBlob:
        return add_weights(TRY(writer_.use_blob(media::kModel, TRY(Digest::parse(source.name)))));
      case ModelSource::Kind::kGguf:
        return add_weights(
            TRY(writer_.put_file(media::kModel, source.files[0].path, request_.progress)));
      case ModelSource::Kind::kFiles: break;
    }
    weights_path_ = source.path.string();
    return put_files(source.files);
  }

  // A GGUF layer that is in the store: it must be one.
  Result<void> add_weights(Layer layer) {
    std::string path = store_.blob_path(layer.digest).string();
    TensorFile file = TRY(TensorFile::open(path));
    if (file.kind() != ContainerKind::kGguf)
      return fail(Code::kUnsupported, "blob {} is no GGUF file", layer.digest.brief());
    weights_path_ = path;
    layers_.push_back(std::move(layer));
    return {};
  }

  Result<void> put_files(const std::vector<SourceFile>& files) {
    uint64_t total = 0, before = 0;
    for (const SourceFile& file : files) total += file.size;
    for (const SourceFile& file : files) {
      ProgressFunction progress;
      if (request_.progress)
        progress = [&](uint64_t done, uint64_t) { request_.progress(before + done, total); };
      Layer layer = TRY(writer_.put_file(media::kFile, file.path, progress));
      layer.name = file.name;
      TRY(check_file_name(layer.name));
      layers_.push_back(std::move(layer));
      before += file.size;
    }
    return {};
  }

  // FROM a model of the store: all its layers, which the texts then override.
  Result<void> take_stored(const ModelName& name) {
    if (!store_.find(name))
      return fail(Code::kNotFound,
                  "FROM {}: there is no such file and no such model in the store", name.display());
    StoredModel parent = TRY(store_.read(name));
    weights_path_ = TRY(resolve_model(store_, parent.name.full())).path;
    TRY(TensorFile::open(weights_path_));
    layers_ = parent.manifest.layers;
    return {};
  }

  // A second FROM: the projector of a model that sees images.
  Result<void> take_extra(const std::string& text) {
    fs::path path = path_of(text);
    TensorFile file = TRY(TensorFile::open(path.string()));
    if (file.kind() != ContainerKind::kGguf ||
        file.metadata().text("general.architecture", "").value_or("") != "clip")
      return fail(Code::kUnsupported,
                  "a second FROM can only add a projector (architecture clip), which {} is not",
                  text);
    layers_.push_back(TRY(writer_.put_file(kProjector, path, request_.progress)));
    return {};
  }

  Result<void> take_adapter(const std::string& text) {
    fs::path path = path_of(text);
    std::error_code error;
    if (fs::is_directory(path, error))
      return fail(Code::kUnsupported, "ADAPTER {} is a folder; only GGUF adapters can be stored",
                  text);
    TensorFile file = TRY(TensorFile::open(path.string()));
    if (file.kind() != ContainerKind::kGguf)
      return fail(Code::kUnsupported, "ADAPTER {} is no GGUF file", text);
    layers_.push_back(TRY(writer_.put_file(media::kAdapter, path)));
    return {};
  }

  void drop(std::string_view media_type) {
    std::erase_if(layers_, [&](const Layer& layer) { return layer.media_type == media_type; });
  }

  Result<void> put(std::string_view media_type, std::string_view text) {
    layers_.push_back(TRY(writer_.put_text(media_type, text)));
    return {};
  }

  Result<void> take_texts() {
    const Modelfile& recipe = request_.modelfile;
    if (recipe.template_text) {
      drop(media::kTemplate);
      drop(media::kPrompt);
      TRY(put(media::kTemplate, *recipe.template_text));
    }
    if (recipe.system) {
      drop(media::kSystem);
      TRY(put(media::kSystem, *recipe.system));
    }
    TRY(take_parameters());
    if (!recipe.messages.empty()) {
      drop(media::kMessages);
      Json list = Json::Array{};
      for (const SeedMessage& message : recipe.messages) {
        Json item;
        item.set("role", message.role);
        item.set("content", message.content);
        list.push_back(std::move(item));
      }
      TRY(put(media::kMessages, list.dump()));
    }
    for (const std::string& license : recipe.licenses) TRY(put(media::kLicense, license));
    return {};
  }

  // The parent's parameters, each replaced where the recipe has it.
  Result<void> take_parameters() {
    Json own = parameters_to_json(request_.modelfile.parameters);
    if (own.as_object().empty()) return {};
    Json merged = Json::Object{};
    auto parent = std::ranges::find(layers_, media::kParams, &Layer::media_type);
    if (parent != layers_.end()) {
      merged = TRY(Json::parse(TRY(store_.read_text(parent->digest))));
      if (!merged.is_object()) return fail(Code::kCorrupt, "the parent's parameters are no object");
    }
    for (const auto& [name, value] : own.as_object()) merged.set(name, value);
    drop(media::kParams);
    return put(media::kParams, merged.dump());
  }

  Result<Layer> write_config() {
    ModelFacts facts = TRY(describe_model(weights_path_));
    Json config;
    config.set("model_format", facts.format);
    config.set("model_family", facts.architecture);
    config.set("model_families", Json::Array{facts.architecture});
    config.set("model_type", parameter_size(facts.parameters));
    config.set("file_type", facts.quantization);
    if (facts.context_length) config.set("context_length", *facts.context_length);
    if (facts.embedding_length) config.set("embedding_length", *facts.embedding_length);
    for (const auto& [name, value] : request_.modelfile.extras) config.set(name, value);
    config.set("architecture", "amd64");
    config.set("os", "linux");
    Json ids = Json::Array{};
    for (const Layer& layer : layers_) ids.push_back(layer.digest.text());
    Json rootfs;
    rootfs.set("type", "layers");
    rootfs.set("diff_ids", std::move(ids));
    config.set("rootfs", std::move(rootfs));
    return writer_.put_text(media::kConfig, config.dump());
  }

  static std::string parameter_size(uint64_t count) {
    double value = static_cast<double>(count);
    if (count >= 1'000'000'000) return fmt::format("{:.1f}B", value / 1e9);
    if (count >= 1'000'000) return fmt::format("{:.2f}M", value / 1e6);
    if (count >= 1'000) return fmt::format("{:.0f}K", value / 1e3);
    return fmt::format("{}", count);
  }

  const Store& store_;
  const StoreWriter& writer_;
  const CreateRequest& request_;
  std::vector<Layer> layers_;
  std::string weights_path_;  // what describe_model opens
  CreateResult out_;
};

}  // namespace

Result<CreateResult> create_model(const Store& store, const CreateRequest& request) {
  CreateResult out;
  {
    StoreWriter writer = TRY(store.begin_write());
    out = TRY(Creator(store, writer, request).run());
  }
  // What the model of that name had before, and what killed processes left. Failing at it is no
  // failure of the new model.
  (void)store.sweep();
  return out;
}

Result<std::string> modelfile_of(const ResolvedModel& model) {
  std::string out;
  auto line = [&](std::string_view instruction, std::string_view value) {
    if (auto quoted = quote_modelfile_value(value))
      out += fmt::format("{} {}\n", instruction, *quoted);
    else
      out += fmt::format("# {} is left out: a line of it ends in three quotes, which a Modelfile "
                         "cannot hold.\n", instruction);
  };
  line("FROM", model.path);
  if (!model.template_text.empty()) line("TEMPLATE", model.template_text);
  if (!model.system.empty()) line("SYSTEM", model.system);
  Options parameters = TRY(parameters_from_json(model.params));
  for (const OptionRow& row : parameter_rows())
    for (const std::string& value : parameters.list(row.name))
      line(fmt::format("PARAMETER {}", row.name), value);
  for (const SeedMessage& message : model.messages)
    line(fmt::format("MESSAGE {}", message.role), message.content);
  for (const std::string& license : model.licenses) line("LICENSE", license);
  return out;
}

}  // namespace hearth
