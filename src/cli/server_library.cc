// The models of a server.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/sha256.h"
#include "cli/chat/server_answerer.h"
#include "cli/library.h"
#include "registry/model_source.h"
#include "registry/parameters.h"

namespace hearth {
namespace {

// In the words of a store on this disk.
std::unexpected<Error> no_model(const ModelName& name) {
  return fail(Code::kNotFound, "there is no model '{}'; hearth list shows what there is",
              name.display());
}

class ServerLibrary : public Library {
 public:
  explicit ServerLibrary(ServerClient client) : client_(std::move(client)) {}

  Result<std::vector<ListedModel>> list(std::vector<std::string>&) override {
    std::vector<ListedModel> out;
    for (ServerModel& model : TRY(client_.list()))
      out.push_back({std::move(model.name), std::move(model.digest), model.size, model.modified});
    return out;
  }

  Result<void> copy(const ModelName& from, const ModelName& to) override {
    auto copied = client_.copy(from.display(), to.display());
    if (!copied && copied.error().code == Code::kNotFound) return no_model(from);
    return copied;
  }

  Result<std::vector<std::string>> remove(const std::vector<ModelName>& names) override {
    std::vector<std::string> out;
    const std::vector<ServerModel> models = TRY(client_.list());
    for (const ModelName& name : names) {
      const auto found = std::ranges::find_if(models, [&](const ServerModel& model) {
        return same_name(model.name, name.display());
      });
      if (found == models.end()) return no_model(name);
      if (std::ranges::find(out, found->name) == out.end()) out.push_back(found->name);
    }
    const std::vector<ServerProcess> running = TRY(client_.running());
    for (const std::string& name : out) {
      for (const ServerProcess& process : running)
        if (same_name(process.name, name)) TRY(client_.unload(name));
      TRY(client_.remove(name));
    }
    return out;
  }

  Result<CreateResult> create(const CreateRequest& request, const StatusSink& status) override {
    CreateResult out{.name = request.name, .warnings = request.modelfile.warnings};
    Json body = TRY(body_of(request, out.warnings));
    auto made = client_.create(body, [&](const Json& line) -> Result<void> {
      const Json &total = line["total"], &done = line["completed"];
      if (total.is_int() && done.is_int() && request.progress)
        request.progress(static_cast<uint64_t>(done.as_int()),
                         static_cast<uint64_t>(total.as_int()));
      else if (line["status"].is_string() && status) status(line["status"].as_string());
      return {};
    });
    if (!made && made.error().code == Code::kNotFound && body["from"].is_string())
      return fail(Code::kNotFound, "FROM {}: there is no such file and no such model in the store",
                  body["from"].as_string());
    TRY(std::move(made));
    for (const ServerModel& model : TRY(client_.list())) {
      if (!same_name(model.name, request.name.display())) continue;
      out.digest = model.digest;
      if (auto stored = ModelName::parse(model.name)) out.name = std::move(*stored);
    }
    return out;
  }

  Result<std::unique_ptr<Answerer>> open(const std::string& model,
                                         const Options& options) override {
    return server_answerer(TRY(ServerClient::create(options)), model, options);
  }

 private:
  // The recipe without its files, which are sent before it.
  Result<Json> body_of(const CreateRequest& request, std::vector<std::string>& warnings) {
    const Modelfile& recipe = request.modelfile;
    Json out = Json::Object{{"model", request.name.display()}};
    Json files, adapters;
    for (size_t i = 0; i < recipe.from.size(); ++i) {
      const ModelSource source = TRY(find_source(recipe.from[i].text, request.base, warnings));
      if (source.files.empty() && i > 0)
        return fail(Code::kUnsupported, "a second FROM must be a file: {}", recipe.from[i].text);
      if (source.files.empty()) out.set("from", source.name);
      TRY(send(source.files, request.progress, files));
    }
    for (const Modelfile::Source& adapter : recipe.adapters) {
      const ModelSource source = TRY(find_source(adapter.text, request.base, warnings));
      if (source.files.size() != 1)
        return fail(Code::kUnsupported, "ADAPTER {} is not one file", adapter.text);
      TRY(send(source.files, request.progress, adapters));
    }
    if (!files.is_null()) out.set("files", std::move(files));
    if (!adapters.is_null()) out.set("adapters", std::move(adapters));
    set_texts(recipe, out);
    return out;
  }

  static void set_texts(const Modelfile& recipe, Json& out) {
    if (recipe.template_text) out.set("template", *recipe.template_text);
    if (recipe.system) out.set("system", *recipe.system);
    Json parameters = parameters_to_json(recipe.parameters);
    if (!parameters.as_object().empty()) out.set("parameters", std::move(parameters));
    Json licenses = Json::Array{}, messages = Json::Array{};
    for (const std::string& license : recipe.licenses) licenses.push_back(license);
    for (const SeedMessage& message : recipe.messages)
      messages.push_back(Json::Object{{"role", message.role}, {"content", message.content}});
    if (!recipe.licenses.empty()) out.set("license", std::move(licenses));
    if (!recipe.messages.empty()) out.set("messages", std::move(messages));
    for (const auto& [name, value] : recipe.extras) out.set(name, value);
  }

  // Sends what the server does not have, and names all of it in `names`.
  Result<void> send(const std::vector<SourceFile>& files, const ProgressFunction& progress,
                    Json& names) {
    uint64_t total = 0, before = 0;
    for (const SourceFile& file : files) total += file.size;
    for (const SourceFile& file : files) {
      const Digest digest = TRY(Digest::parse(TRY(sha256_file(file.path))));
      if (!TRY(client_.has_blob(digest)))
        TRY(client_.upload(digest, file.path, [&](uint64_t done, uint64_t) {
          if (progress) progress(before + done, total);
        }));
      before += file.size;
      names.set(file.name, digest.text());
    }
    return {};
  }

  ServerClient client_;
};

}  // namespace

std::shared_ptr<Library> server_library(ServerClient client) {
  return std::make_shared<ServerLibrary>(std::move(client));
}

}  // namespace hearth
