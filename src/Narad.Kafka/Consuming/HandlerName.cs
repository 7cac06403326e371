namespace Narad.Kafka.Consuming;

/// <summary>What a handler is called in messages to people. No state.</summary>
internal static class HandlerName
{
    /// <summary>The name of a delegate's method; of a lambda that of the method that it stands in.</summary>
    public static string Of(Delegate handler)
    {
        // The compiler puts lambdas into nested types and methods whose names begin with the name of their method in angle brackets.
        var type = handler.Method.DeclaringType;
        while (type is { DeclaringType: { } outer } && type.Name.StartsWith('<'))
        {
            type = outer;
        }

        var method = handler.Method.Name;
        var end = method.IndexOf('>', StringComparison.Ordinal);
        return method.StartsWith('<') && end > 1 ? $"a lambda in {type?.Name}.{method[1..end]}" : $"{type?.Name}.{method}";
    }
}
