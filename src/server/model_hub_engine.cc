// The hub on the real engine. In a file of its own, so that tests of the hub link without it.
#include "server/hub_backend.h"

namespace hearth::server {
namespace {

class EngineBackend final : public StoreBackend {
 public:
  EngineBackend(ServingEngine& engine, bool allow_paths)
      : StoreBackend(std::nullopt, allow_paths), engine_(engine) {}

  Result<uint64_t> add(LoadedModel& model, const ServingModelOptions& options) override {
    model.serving = TRY(engine_.add_model(model.model, model.tokenizer, options));
    return static_cast<uint64_t>(ServingEngine::cache_bytes_max(*model.serving));
  }
  void remove(const LoadedModel& model) override { engine_.remove_model(model.serving); }

 private:
  ServingEngine& engine_;
};

}  // namespace

ModelHub::ModelHub(asio::io_context& io, ServingEngine& engine, const HubOptions& options)
    : ModelHub(io, std::make_unique<EngineBackend>(engine, options.allow_paths), options) {}

}  // namespace hearth::server
