#include "cli/library.h"

#include <fmt/format.h>

#include <filesystem>

#include "cli/chat/local_answerer.h"
#include "cli/terminal.h"

namespace hearth {
namespace {

class LocalLibrary : public Library {
 public:
  Result<std::vector<ListedModel>> list(std::vector<std::string>& warnings) override {
    std::vector<StoreProblem> broken;
    const std::vector<StoredModel> models = TRY(TRY(Store::open()).list(&broken));
    for (const StoreProblem& problem : broken)
      warnings.push_back(problem.what + ": " + problem.problem);
    std::vector<ListedModel> out;
    for (const StoredModel& model : models)
      out.push_back({model.name.display(), model.digest, model.manifest.total_size(),
                     model.modified});
    return out;
  }

  Result<void> copy(const ModelName& from, const ModelName& to) override {
    const Store store = TRY(Store::open());
    TRY(store.read(from));  // before a store is made where there is none
    return TRY(store.begin_write()).copy(from, to);
  }

  Result<std::vector<std::string>> remove(const std::vector<ModelName>& names) override {
    std::vector<std::string> out;
    for (const ModelName& name : TRY(TRY(Store::open()).remove(names)))
      out.push_back(name.display());
    return out;
  }

  Result<CreateResult> create(const CreateRequest& request, const StatusSink&) override {
    return create_model(TRY(Store::open()), request);
  }

  Result<std::unique_ptr<Answerer>> open(const std::string& model,
                                         const Options& options) override {
    return load_answerer(model, options);
  }
};

bool is_file(const std::string& model) {
  std::error_code error;
  if (names_a_path(model)) return true;
  if (!std::filesystem::exists(model, error)) return false;
  const auto name = ModelName::parse(model);  // which goes before a file of the same name
  const auto store = Store::open();
  return !name || !store || !store->find(*name);
}

// How a process computes; a server that runs has made its choice.
constexpr std::string_view kOwnChoices[] = {"precision", "kv", "threads"};

// Nothing where this process is to do it by itself.
Result<std::optional<ServerClient>> answering_server(const Options& options) {
  // A --host counts for more than HEARTH_LOCAL.
  if (options.flag("local") && (is_chosen(options, "local") || !is_chosen(options, "host")))
    return std::nullopt;
  ServerClient client = TRY(ServerClient::create(options));
  auto there = client.probe();
  if (there) return client;
  if (client.must_answer() || there.error().code != Code::kNetwork)
    return std::unexpected(there.error());
  return std::nullopt;
}

}  // namespace

std::shared_ptr<Library> local_library() { return std::make_shared<LocalLibrary>(); }

Result<std::shared_ptr<Library>> library_for(const Options& options) {
  auto client = TRY(answering_server(options));
  return client ? server_library(std::move(*client)) : local_library();
}

Result<std::shared_ptr<Library>> library_to_run(const std::string& model, const Options& options) {
  if (is_file(model)) return local_library();
  auto client = TRY(answering_server(options));
  if (!client) return local_library();
  for (const std::string_view name : kOwnChoices) {
    if (!is_chosen(options, name)) continue;
    write_err(fmt::format("The server at {} runs with its own --{}; the model is loaded here.\n",
                          client->url(), name));
    return local_library();
  }
  return server_library(std::move(*client));
}

}  // namespace hearth
