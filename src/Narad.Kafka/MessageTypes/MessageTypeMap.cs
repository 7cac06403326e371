using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.MessageTypes;
using Narad.Kafka.Serialization;

namespace Narad.Kafka;

/// <summary>
/// Which handler takes the messages of which type, in a topic that carries several. The name of a message's type is looked up here, exactly; it is never used
/// to find a type of .NET. See <see cref="NaradKafkaBuilder.AddSubscription(string, Action{MessageTypeMap}, string, Action{SubscriptionOptions})"/> and
/// <see cref="IKafkaService.SubscribeByTypeAsync"/>. All errors of a map are reported together when its subscription starts. Not thread-safe; filled before the
/// subscription starts.
/// </summary>
/// <example>
/// <code>
/// builder.Services.AddNaradKafka()
///     .AddSubscription("user-events", types =&gt; types
///         .On&lt;UserLogin, UserProcessor&gt;()                // [MessageType("USER_LOGIN")]
///         .On&lt;UserEvent, UserProcessor&gt;("USER_ACTION")
///         .Otherwise(UnknownTypePolicy.Skip), group: "event-processor");
/// </code>
/// </example>
public sealed class MessageTypeMap
{
    /// <summary>What its handlers are called in messages to people.</summary>
    internal const string HandlerName = "handlers by type";

    private readonly List<Declaration> _declared = [];
    private readonly List<string> _errors = [];
    private readonly List<Action<IServiceCollection>> _registrations = [];
    private readonly List<Type> _hosted = [];
    private Func<HandlerHost?, Func<MessageContext, CancellationToken, Task>>? _tombstones;
    private Func<HandlerHost?, Func<UnknownMessage, MessageContext, CancellationToken, Task>>? _otherwise;
    private UnknownTypePolicy? _unknown;
    private TypeSource? _source;

    /// <summary>The names of the types that are declared.</summary>
    public IReadOnlyCollection<string> Types => [.. _declared.Select(declared => declared.Name).Distinct(StringComparer.Ordinal)];

    /// <summary>What its batch handler takes; null where messages are handled one by one.</summary>
    internal Type? BatchOf { get; init; }

    /// <summary>Handlers that a container creates.</summary>
    internal IReadOnlyList<Type> HostedHandlers => [.. _hosted.Distinct()];

    /// <summary>
    /// Handles messages of one type. Of an envelope whose <c>type</c> it is the handler gets the <c>data</c>, or all of it where <typeparamref name="T"/> is
    /// <see cref="MessageEnvelope{T}"/>; of other messages it gets the whole.
    /// </summary>
    /// <param name="type">The name of the type, as messages have it; at most 250 characters.</param>
    /// <param name="handler">See <see cref="IKafkaService.SubscribeAsync{T}(string, Func{T, MessageContext, CancellationToken, Task}, string,
    /// Action{SubscriptionOptions}, CancellationToken)"/>.</param>
    /// <exception cref="ArgumentException">The name is empty or longer than 250 characters.</exception>
    public MessageTypeMap On<T>(string type, Func<T, MessageContext, CancellationToken, Task> handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Declare<T>(type, handler, _ => handler);
    }

    /// <summary>Handles messages of the type that <see cref="MessageTypeAttribute"/> names, else of the type's own name.</summary>
    public MessageTypeMap On<T>(Func<T, MessageContext, CancellationToken, Task> handler) => On(MessageEnvelope.TypeNameOf<T>(), handler);

    /// <summary>Handles messages of one type with a hosted handler.</summary>
    /// <typeparam name="T">The message's type.</typeparam>
    /// <typeparam name="THandler">The handler; transient if nothing else registered it. Each message has a scope; a singleton costs none.</typeparam>
    /// <param name="type">The name of the type, as messages have it; at most 250 characters.</param>
    /// <exception cref="ArgumentException">The name is empty or longer than 250 characters.</exception>
    public MessageTypeMap On<T, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(string type)
        where THandler : class, IMessageHandler<T>
    {
        Host<THandler>();
        return Declare<T>(type, typeof(THandler), static host => host!.Handle<T, THandler>());
    }

    /// <summary>Handles messages of the type that <see cref="MessageTypeAttribute"/> names, else of the type's own name, with a hosted handler.</summary>
    /// <typeparam name="T">The message's type.</typeparam>
    /// <typeparam name="THandler">See <see cref="On{T, THandler}(string)"/>.</typeparam>
    public MessageTypeMap On<T, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>()
        where THandler : class, IMessageHandler<T> => On<T, THandler>(MessageEnvelope.TypeNameOf<T>());

    /// <summary>
    /// Reads messages of one type as <typeparamref name="T"/>, and hands them to the handler that is declared for the type itself under another name, else for
    /// its nearest base class, else for the most specific interface. Start fails where there is none, or where there are several.
    /// </summary>
    /// <param name="type">The name of the type, as messages have it, at most 250 characters; null for what <see cref="MessageTypeAttribute"/> names, else the
    /// type's own name.</param>
    /// <exception cref="ArgumentException">The name is empty or longer than 250 characters.</exception>
    public MessageTypeMap Derived<T>(string? type = null) => Declare<T>(type ?? MessageEnvelope.TypeNameOf<T>(), handler: null, bind: null);

    /// <summary>Handles tombstones, which have no type; without this they finish unhandled.</summary>
    public MessageTypeMap OnTombstone(Func<MessageContext, CancellationToken, Task> handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Tombstones(_ => handler);
    }

    /// <summary>Hands tombstones, which have no type, to a hosted handler: its message is null.</summary>
    /// <typeparam name="T">The message's type.</typeparam>
    /// <typeparam name="THandler">See <see cref="On{T, THandler}(string)"/>.</typeparam>
    public MessageTypeMap OnTombstone<T, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>()
        where T : class
        where THandler : class, IMessageHandler<T>
    {
        Host<THandler>();
        return Tombstones(static host =>
        {
            var handle = host!.Handle<T, THandler>();
            return (context, cancellationToken) => handle(null!, context, cancellationToken);
        });
    }

    /// <summary>
    /// What happens to messages of all other types: of a name that is not declared, without a name, with an empty one, with one that is not text, and with
    /// several. Sets <see cref="SubscriptionOptions.OnUnknownType"/>.
    /// </summary>
    /// <param name="policy">Not <see cref="UnknownTypePolicy.Handle"/>: pass the handler instead.</param>
    /// <exception cref="ArgumentException">The policy is <see cref="UnknownTypePolicy.Handle"/>, or is not defined.</exception>
    public MessageTypeMap Otherwise(UnknownTypePolicy policy)
    {
        if (policy is UnknownTypePolicy.Handle || !Enum.IsDefined(policy))
        {
            throw new ArgumentException($"{nameof(UnknownTypePolicy)}.{policy} needs a handler: pass it to Otherwise.", nameof(policy));
        }

        return Unknown(policy, handler: null);
    }

    /// <summary>Handles messages of all other types; their value is in <see cref="MessageContext.RawValue"/>.</summary>
    /// <param name="handler">What it throws is treated as any handler's failure.</param>
    public MessageTypeMap Otherwise(Func<UnknownMessage, MessageContext, CancellationToken, Task> handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Unknown(UnknownTypePolicy.Handle, _ => handler);
    }

    /// <summary>Handles messages of all other types with a hosted handler; their value is in <see cref="MessageContext.RawValue"/>.</summary>
    /// <typeparam name="THandler">See <see cref="On{T, THandler}(string)"/>.</typeparam>
    public MessageTypeMap Otherwise<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>()
        where THandler : class, IMessageHandler<UnknownMessage>
    {
        Host<THandler>();
        return Unknown(UnknownTypePolicy.Handle, static host => host!.Handle<UnknownMessage, THandler>());
    }

    /// <summary>
    /// The name is in this property at the top of the message's JSON. Default <c>type</c>, which envelopes have too; with another name the handler gets the
    /// whole message.
    /// </summary>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public MessageTypeMap TypeFromProperty(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return From(TypeSource.OfProperty(name));
    }

    /// <summary>The name is the text of this header, UTF-8. The handler gets the whole message.</summary>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public MessageTypeMap TypeFromHeader(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return From(TypeSource.OfHeader(name));
    }

    /// <summary>The name is what a function answers. The handler gets the whole message.</summary>
    /// <param name="function">Null for none. What it throws makes the message one that cannot be read. Must be thread-safe.</param>
    public MessageTypeMap TypeFrom(Func<MessageContext, string?> function)
    {
        ArgumentNullException.ThrowIfNull(function);
        return From(TypeSource.OfFunction(function));
    }

    /// <summary>Registers its hosted handlers, where nothing else did.</summary>
    internal void Register(IServiceCollection services) => _registrations.ForEach(register => register(services));

    /// <summary>The options that its subscription starts with; its errors are among theirs.</summary>
    internal Action<SubscriptionOptions> Configured(Action<SubscriptionOptions>? configure, bool isHosted) => options =>
    {
        configure?.Invoke(options);
        options.OnUnknownType = _unknown ?? options.OnUnknownType;
        var name = options.Name is null ? "" : $" '{options.Name}'";
        options.BindingErrors.AddRange(Errors(isHosted).Select(error => $"the subscription{name} by type: {error}"));
        if (options.OnUnknownType is UnknownTypePolicy.Handle && _otherwise is null)
        {
            options.BindingErrors.Add($"the subscription{name} by type sets OnUnknownType = Handle and has no handler for it: call Otherwise(handler).");
        }

        if (options.OnUnknownType is UnknownTypePolicy.DeadLetter && !options.HasFailureTopics)
        {
            options.BindingErrors.Add($"the subscription{name} by type sends messages of unknown types to the dead-letter topic and has none: "
                + "set DeadLetter.Enabled = true.");
        }

        if (options.IncludeTombstones && _tombstones is null)
        {
            options.BindingErrors.Add($"the subscription{name} by type sets IncludeTombstones, and tombstones have no type: declare OnTombstone instead.");
        }

        options.IncludeTombstones |= _tombstones is not null;
    };

    /// <summary>Every error of the declarations.</summary>
    internal IEnumerable<string> Errors(bool isHosted)
    {
        if (_declared.Count == 0)
        {
            yield return $"no type is declared. Call {(BatchOf is null ? "On" : "Derived")} for each type of message.";
        }

        foreach (var twice in _declared.GroupBy(declared => declared.Name, StringComparer.Ordinal).Where(group => group.Count() > 1))
        {
            yield return $"the type \"{twice.Key}\" is declared {twice.Count()} times, for {string.Join(" and ", twice.Select(one => one.Type.Name))}. "
                + "Keep one of them.";
        }

        foreach (var error in BatchOf is null ? ErrorsOfHandlers() : ErrorsOfBatch(BatchOf))
        {
            yield return error;
        }

        if (!isHosted && _hosted.Count > 0)
        {
            yield return $"{string.Join(", ", HostedHandlers.Select(handler => handler.Name))}: a handler that a container creates needs a host. Write "
                + "AddNaradKafka().AddSubscription(topic, types => …), or pass a delegate to On.";
        }

        foreach (var error in _errors)
        {
            yield return error;
        }
    }

    private IEnumerable<string> ErrorsOfHandlers()
    {
        foreach (var derived in _declared.Where(declared => declared.Bind is null))
        {
            if (HandlerOf(derived, out var error) is null)
            {
                yield return error;
            }
        }
    }

    private IEnumerable<string> ErrorsOfBatch(Type batchOf)
    {
        foreach (var declared in _declared)
        {
            if (declared.Bind is not null)
            {
                yield return $"{declared.Type.Name} (\"{declared.Name}\") is declared with On, and a batch has one handler. Declare it with Derived.";
            }

            if (!batchOf.IsAssignableFrom(declared.Type))
            {
                yield return $"{declared.Type.Name} (\"{declared.Name}\") is no {batchOf.Name}, which the batch handler takes.";
            }
        }

        if (_tombstones is not null || _otherwise is not null)
        {
            yield return "a batch has one handler, which takes neither tombstones nor messages of other types. Remove OnTombstone, and call Otherwise with a "
                + "policy.";
        }
    }

    /// <summary>Runs the handlers of one subscription.</summary>
    internal HandlerPipeline Pipeline(SubscriptionSettings settings, ConsumingMetrics metrics, KafkaDiagnostics diagnostics, HandlerHost? host)
    {
        var typed = Bind(host, settings.Decoder, settings.UnknownType, diagnostics.Logger<MessageTypeMap>(), metrics);
        return new SinglePipeline<object>(typed.HandleAsync, settings with { Decoder = new MessageDecoder(typed) }, metrics, diagnostics);
    }

    /// <summary>Runs the batch handler of one subscription.</summary>
    internal HandlerPipeline BatchPipeline<T>(
        Func<MessageBatch<T>, CancellationToken, Task> handler, SubscriptionSettings settings, ConsumingMetrics metrics, KafkaDiagnostics diagnostics)
    {
        var typed = Bind(host: null, settings.Decoder, settings.UnknownType, diagnostics.Logger<MessageTypeMap>(), metrics);
        return new BatchPipeline<object>(
            (batch, cancellationToken) => typed.HandleBatchAsync(batch, handler, cancellationToken), settings with { Decoder = new MessageDecoder(typed) },
            metrics, diagnostics);
    }

    /// <summary>What reads and handles messages as declared; only where there are no errors.</summary>
    internal TypedMessages Bind(HandlerHost? host, MessageDecoder decoder, UnknownTypePolicy unknown, ILogger logger, ConsumingMetrics metrics)
    {
        var handlers = new Dictionary<string, TypedHandler>(StringComparer.Ordinal);
        foreach (var declared in _declared)
        {
            handlers.Add(declared.Name, new TypedHandler(
                declared.Whole, declared.Decode, BatchOf is null ? HandlerOf(declared, out _)!.Bind!(host) : static (_, _, _) => Task.CompletedTask));
        }

        return new TypedMessages(
            handlers, _tombstones?.Invoke(host), _otherwise?.Invoke(host), _source ?? TypeSource.Default, decoder, unknown, logger, metrics);
    }

    private MessageTypeMap Declare<T>(string type, object? handler, Func<HandlerHost?, Func<T, MessageContext, CancellationToken, Task>>? bind)
    {
        ArgumentException.ThrowIfNullOrEmpty(type);
        if (type.Length > MessageTypeReader.LongestName)
        {
            throw new ArgumentException($"The name of a type has at most {MessageTypeReader.LongestName} characters, and this one has {type.Length}.",
                nameof(type));
        }

        _declared.Add(new Declaration(
            type,
            typeof(T),
            handler,
            RawSerialization.IsRaw<T>() || typeof(ISourced).IsAssignableFrom(typeof(T)),
            static async (decoder, data, context, cancellationToken) =>
                await decoder.DecodeAsync<T>(data, context, cancellationToken).ConfigureAwait(false),
            bind is null ? null : host =>
            {
                var handle = bind(host);
                return (message, context, cancellationToken) => handle((T)message!, context, cancellationToken);
            }));
        return this;
    }

    // The declaration whose handler takes its messages: its own, or that of the nearest type.
    private Declaration? HandlerOf(Declaration declared, out string error)
    {
        error = "";
        if (declared.Bind is not null)
        {
            return declared;
        }

        Declaration[] handled = [.. _declared.Where(other => other.Bind is not null)];
        var nearest = NearestType.Of(declared.Type, [.. handled.Select(other => other.Type).Distinct()]);
        Declaration[] found = [.. handled.Where(other => nearest.Contains(other.Type)).DistinctBy(other => other.Handler)];
        error = found.Length switch
        {
            0 => $"{declared.Type.Name} (\"{declared.Name}\") has no handler, and neither has a base type of it. Call On for one of them.",
            > 1 => $"{declared.Type.Name} (\"{declared.Name}\") could go to several handlers: "
                + $"{string.Join(" and ", found.Select(other => $"that of {other.Type.Name} (\"{other.Name}\")"))}. Call On for {declared.Type.Name} itself.",
            _ => "",
        };
        return found is [var one] ? one : null;
    }

    private void Host<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>()
        where THandler : class
    {
        _hosted.Add(typeof(THandler));
        _registrations.Add(static services => services.TryAddTransient<THandler>());
    }

    private MessageTypeMap Tombstones(Func<HandlerHost?, Func<MessageContext, CancellationToken, Task>> bind)
    {
        Once(_tombstones, "OnTombstone");
        _tombstones = bind;
        return this;
    }

    private MessageTypeMap Unknown(UnknownTypePolicy policy, Func<HandlerHost?, Func<UnknownMessage, MessageContext, CancellationToken, Task>>? handler)
    {
        Once(_unknown, "Otherwise");
        (_unknown, _otherwise) = (policy, handler);
        return this;
    }

    private MessageTypeMap From(TypeSource source)
    {
        Once(_source, "TypeFromProperty, TypeFromHeader or TypeFrom");
        _source = source;
        return this;
    }

    private void Once(object? before, string what)
    {
        if (before is not null)
        {
            _errors.Add($"{what} was called twice. Keep one of the calls.");
        }
    }

    private sealed record Declaration(
        string Name, Type Type, object? Handler, bool Whole, TypedDecoding Decode, Func<HandlerHost?, TypedHandling>? Bind);
}
