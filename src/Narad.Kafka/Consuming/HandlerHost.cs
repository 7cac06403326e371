using Microsoft.Extensions.DependencyInjection;

namespace Narad.Kafka.Consuming;

/// <summary>Where hosted handlers come from: one instance for all messages where a handler is a singleton, else one from a scope of each message (or batch).
/// Thread-safe.</summary>
/// <param name="services">The application's services.</param>
/// <param name="isSingleton">Whether a handler's type is registered as a singleton.</param>
internal sealed class HandlerHost(IServiceProvider services, Func<Type, bool> isSingleton)
{
    public IServiceProvider Services => services;

    /// <summary>What calls a handler.</summary>
    public Func<T, MessageContext, CancellationToken, Task> Handle<T, THandler>()
        where THandler : class, IMessageHandler<T>
    {
        if (isSingleton(typeof(THandler)))
        {
            return services.GetRequiredService<THandler>().HandleAsync;
        }

        var scopes = services.GetRequiredService<IServiceScopeFactory>();
        return async (message, context, token) =>
        {
            // No await using: its ConfigureAwait would put the scope into a box for each message.
            var scope = scopes.CreateAsyncScope();
            try
            {
                context.Services = scope.ServiceProvider;
                await Create<THandler>(scope.ServiceProvider).HandleAsync(message, context, token).ConfigureAwait(false);
            }
            finally
            {
                await scope.DisposeAsync().ConfigureAwait(false);
            }
        };
    }

    /// <summary>What calls a batch handler.</summary>
    public Func<MessageBatch<T>, CancellationToken, Task> HandleBatch<T, THandler>()
        where THandler : class, IBatchHandler<T>
    {
        if (isSingleton(typeof(THandler)))
        {
            return services.GetRequiredService<THandler>().HandleAsync;
        }

        var scopes = services.GetRequiredService<IServiceScopeFactory>();
        return async (batch, token) =>
        {
            var scope = scopes.CreateAsyncScope();
            await using var scopeDisposal = scope.ConfigureAwait(false);
            foreach (var item in batch.Items)
            {
                item.Context.Services = scope.ServiceProvider;
            }

            await Create<THandler>(scope.ServiceProvider).HandleAsync(batch, token).ConfigureAwait(false);
        };
    }

    private static THandler Create<THandler>(IServiceProvider services)
        where THandler : class
    {
        try
        {
            return services.GetRequiredService<THandler>();
        }
        catch (Exception error)
        {
            throw new HandlerNotCreatedException(typeof(THandler), error);
        }
    }
}
