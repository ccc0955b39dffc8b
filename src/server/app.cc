#include "server/app.h"

#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <utility>

namespace hearth::server {

Result<std::unique_ptr<App>> App::create(AppOptions options, Store store) {
  std::unique_ptr<App> app(new App(std::move(options), std::move(store)));
  app->options_.http.metrics = &app->metrics_;
  app->http_ = TRY(HttpServer::listen(app->options_.http, route_table(), app.get()));
  app->bridge_ = std::make_unique<EventBridge>(app->http_->io());
  app->engine_ = std::make_unique<ServingEngine>(app->options_.engine);
  app->hub_ = std::make_unique<ModelHub>(app->http_->io(), *app->engine_, app->options_.hub);
  return app;
}

App::~App() {
  // Handlers that still wait hold leases, and the engine's events name them: the engine ends first,
  // then nobody is told anything any more.
  hub_.reset();
  engine_.reset();
  bridge_.reset();
  http_.reset();
}

int64_t App::new_preemptions(const std::string& model, int64_t now) {
  int64_t& told = preemptions_told_[model];
  if (now < told) told = 0;  // it was loaded anew
  return now - std::exchange(told, now);
}

void App::forget_metrics(const std::string& model) {
  metrics_.forget(model);
  preemptions_told_.erase(model);
}

void App::run() {
  asio::signal_set signals(http_->io(), SIGINT, SIGTERM);
  std::function<void()> wait = [&] {
    signals.async_wait([&](const boost::system::error_code& error, int) {
      if (error) return;
      http_->stop(options_.drain);
      wait();
    });
  };
  wait();
  http_->run();
}

}  // namespace hearth::server
