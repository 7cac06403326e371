using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Narad.Kafka.Configuration;
using Narad.Kafka.Consuming;

namespace Narad.Kafka;

/// <summary>What <c>AddNaradKafka()</c> returns: adds subscriptions and middleware to the hosted service. Every method returns the same builder.</summary>
public sealed class NaradKafkaBuilder
{
    internal NaradKafkaBuilder(IServiceCollection services) => Services = services;

    /// <summary>The application's services.</summary>
    public IServiceCollection Services { get; }

    /// <summary>Changes the settings; what is configured later wins.</summary>
    public NaradKafkaBuilder Configure(Action<KafkaOptions> configure)
    {
        Services.AddOptions<KafkaOptions>().Configure(configure);
        return this;
    }

    /// <summary>Handles a topic's messages with <typeparamref name="THandler"/> from the host's start on.</summary>
    /// <typeparam name="T">The message's type.</typeparam>
    /// <typeparam name="THandler">The handler; registered scoped (a scope a message) if nothing else registered it. A singleton costs no scope.</typeparam>
    /// <param name="topic">A topic's name, or a pattern (a regular expression that starts with <c>^</c>).</param>
    /// <param name="group">The group; default <see cref="KafkaOptions.ConsumerGroupId"/>. With neither, the host does not start.</param>
    /// <param name="configure">Parallelism, order, retries, start position …</param>
    public NaradKafkaBuilder AddSubscription<T, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(
        string topic, string? group = null, Action<SubscriptionOptions>? configure = null)
        where THandler : class, IMessageHandler<T>
    {
        Services.TryAddScoped<THandler>();
        return Add<THandler>(topic, group, configure, isBatch: false, static (settings, metrics, diagnostics, host) =>
            new SinglePipeline<T>(Handle<T, THandler>(host), settings, metrics, diagnostics));
    }

    /// <summary>Handles a topic's messages in batches with <typeparamref name="THandler"/> from the host's start on.</summary>
    /// <typeparam name="T">The message's type.</typeparam>
    /// <typeparam name="THandler">The handler; registered scoped (a scope a batch) if nothing else registered it.</typeparam>
    /// <param name="topic">A topic's name, or a pattern (a regular expression that starts with <c>^</c>).</param>
    /// <param name="group">The group; default <see cref="KafkaOptions.ConsumerGroupId"/>. With neither, the host does not start.</param>
    /// <param name="configure">Batch size and wait, retries, start position …</param>
    public NaradKafkaBuilder AddBatchSubscription<T, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(
        string topic, string? group = null, Action<SubscriptionOptions>? configure = null)
        where THandler : class, IBatchHandler<T>
    {
        Services.TryAddScoped<THandler>();
        return Add<THandler>(topic, group, configure, isBatch: true, static (settings, metrics, diagnostics, host) =>
            new BatchPipeline<T>(HandleBatch<T, THandler>(host), settings, metrics, diagnostics));
    }

    /// <summary>Adds middleware around every send; a singleton.</summary>
    public NaradKafkaBuilder UseSendMiddleware<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TMiddleware>()
        where TMiddleware : class, ISendMiddleware
    {
        Services.AddSingleton<ISendMiddleware, TMiddleware>();
        return this;
    }

    /// <summary>Adds middleware around every handler; a singleton.</summary>
    public NaradKafkaBuilder UseConsumeMiddleware<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TMiddleware>()
        where TMiddleware : class, IConsumeMiddleware
    {
        Services.AddSingleton<IConsumeMiddleware, TMiddleware>();
        return this;
    }

    /// <summary>Adds an observer that is told of every message that goes to a retry or dead-letter topic; a singleton.</summary>
    public NaradKafkaBuilder UseFailureObserver<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TObserver>()
        where TObserver : class, IFailureObserver
    {
        Services.AddSingleton<IFailureObserver, TObserver>();
        return this;
    }

    private NaradKafkaBuilder Add<THandler>(
        string topic, string? group, Action<SubscriptionOptions>? configure, bool isBatch, SubscriptionRegistration.PipelineFactory pipeline)
    {
        ArgumentException.ThrowIfNullOrEmpty(topic);
        if (group is not null)
        {
            GroupName.Validate(group, nameof(group));
        }

        var services = Services;
        Services.AddSingleton(new SubscriptionRegistration(
            topic, group, configure, isBatch, pipeline, () =>
                services.Last(service => service.ServiceType == typeof(THandler)).Lifetime is ServiceLifetime.Singleton, typeof(THandler)));
        return this;
    }

    private static Func<T, MessageContext, CancellationToken, Task> Handle<T, THandler>(HandlerHost host)
        where THandler : class, IMessageHandler<T>
    {
        if (host.IsSingleton)
        {
            return host.Services.GetRequiredService<THandler>().HandleAsync;
        }

        var scopes = host.Services.GetRequiredService<IServiceScopeFactory>();
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

    private static Func<MessageBatch<T>, CancellationToken, Task> HandleBatch<T, THandler>(HandlerHost host)
        where THandler : class, IBatchHandler<T>
    {
        if (host.IsSingleton)
        {
            return host.Services.GetRequiredService<THandler>().HandleAsync;
        }

        var scopes = host.Services.GetRequiredService<IServiceScopeFactory>();
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
