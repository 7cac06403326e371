using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace Narad.Kafka.Shared;

/// <summary>
/// What an assembly offers to code outside of it, as C#-like text: a block a type, a line a member, sorted, so that any change shows as a
/// changed line. Never shows what a user cannot reach, nor what the compiler writes by itself (a record's members).
/// </summary>
internal static class PublicSurface
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly Type[] ShownAttributes =
    [
        typeof(ObsoleteAttribute), typeof(ExperimentalAttribute), typeof(FlagsAttribute), typeof(OverloadResolutionPriorityAttribute),
        typeof(RequiresUnreferencedCodeAttribute), typeof(RequiresDynamicCodeAttribute),
    ];

    private static readonly Dictionary<Type, string> Keywords = new()
    {
        [typeof(void)] = "void", [typeof(object)] = "object", [typeof(string)] = "string", [typeof(bool)] = "bool", [typeof(char)] = "char",
        [typeof(byte)] = "byte", [typeof(sbyte)] = "sbyte", [typeof(short)] = "short", [typeof(ushort)] = "ushort", [typeof(int)] = "int",
        [typeof(uint)] = "uint", [typeof(long)] = "long", [typeof(ulong)] = "ulong", [typeof(float)] = "float", [typeof(double)] = "double",
        [typeof(decimal)] = "decimal", [typeof(nint)] = "nint", [typeof(nuint)] = "nuint",
    };

    public static string Describe(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (var space in assembly.GetTypes().Where(IsReachable).GroupBy(type => type.Namespace, StringComparer.Ordinal).OrderBy(types => types.Key, StringComparer.Ordinal))
        {
            text.Append(text.Length == 0 ? "" : "\n").Append("namespace ").Append(space.Key).Append('\n');
            foreach (var type in space.OrderBy(NestedName, StringComparer.Ordinal))
            {
                text.Append('\n').Append(Header(type)).Append('\n');
                foreach (var member in Members(type))
                {
                    text.Append("    ").Append(member).Append('\n');
                }
            }
        }

        return text.ToString();
    }

    private static bool IsReachable(Type type) =>
        !type.Name.Contains('<', StringComparison.Ordinal)
        && (type.IsPublic || ((type.IsNestedPublic || ((type.IsNestedFamily || type.IsNestedFamORAssem) && !type.DeclaringType!.IsSealed)) && IsReachable(type.DeclaringType!)));

    private static bool IsReachable(MethodBase? method) => method is not null && (method.IsPublic || ((method.IsFamily || method.IsFamilyOrAssembly) && !method.DeclaringType!.IsSealed));

    // --- Types -----------------------------------------------------------------------------------------------------------------

    private static string Header(Type type)
    {
        var attributes = Attributes(type);
        if (typeof(Delegate).IsAssignableFrom(type))
        {
            var invoke = type.GetMethod("Invoke")!;
            return $"{attributes}delegate {ReturnType(invoke)} {NestedName(type)}({Parameters(invoke)}){Constraints(type.GetGenericArguments())}";
        }

        var kind = type switch
        {
            { IsEnum: true } => "enum",
            { IsInterface: true } => "interface",
            { IsValueType: true } => (Has<IsReadOnlyAttribute>(type) ? "readonly " : "") + (type.IsByRefLike ? "ref " : "") + (IsRecord(type) ? "record struct" : "struct"),
            _ => (type.IsAbstract && type.IsSealed ? "static " : type.IsAbstract ? "abstract " : type.IsSealed ? "sealed " : "") + (IsRecord(type) ? "record" : "class"),
        };
        var bases = Bases(type).ToList();
        return $"{attributes}{kind} {NestedName(type)}{(bases.Count == 0 ? "" : " : " + string.Join(", ", bases))}{Constraints(type.GetGenericArguments())}";
    }

    private static IEnumerable<string> Bases(Type type)
    {
        if (type.IsEnum)
        {
            var underlying = Enum.GetUnderlyingType(type);
            return underlying == typeof(int) ? [] : [TypeName(underlying)];
        }

        var own = type.GetInterfaces().Where(candidate => candidate.IsVisible).ToHashSet();
        own.ExceptWith(own.SelectMany(candidate => candidate.GetInterfaces()).ToList());
        own.ExceptWith(type.BaseType?.GetInterfaces() ?? []);
        if (IsRecord(type))
        {
            own.RemoveWhere(candidate => candidate == typeof(IEquatable<>).MakeGenericType(type));
        }

        var parent = type.BaseType is { } given && given != typeof(object) && given != typeof(ValueType) ? new[] { TypeName(given) } : [];
        return parent.Concat(own.Select(candidate => TypeName(candidate)).Order(StringComparer.Ordinal));
    }

    private static bool IsRecord(Type type) =>
        type.GetMethod("<Clone>$", Declared) is not null
        || (type.IsValueType && type.GetMethod("PrintMembers", Declared) is { } print && Has<CompilerGeneratedAttribute>(print));

    private static string Constraints(Type[] arguments) => string.Concat(arguments.Where(argument => argument.IsGenericParameter).Select(argument =>
    {
        var flags = argument.GenericParameterAttributes;
        var state = NullableFlags.Of(argument).Next();
        var parts = new List<string>();
        if (flags.HasFlag(GenericParameterAttributes.NotNullableValueTypeConstraint))
        {
            parts.Add("struct");
        }
        else if (flags.HasFlag(GenericParameterAttributes.ReferenceTypeConstraint))
        {
            parts.Add(state == 2 ? "class?" : "class");
        }
        else if (state == 1 && argument.GetGenericParameterConstraints().Length == 0)
        {
            parts.Add("notnull");
        }

        parts.AddRange(argument.GetGenericParameterConstraints().Where(constraint => constraint != typeof(ValueType)).Select(constraint => TypeName(constraint)).Order(StringComparer.Ordinal));
        if (flags.HasFlag(GenericParameterAttributes.DefaultConstructorConstraint) && !flags.HasFlag(GenericParameterAttributes.NotNullableValueTypeConstraint))
        {
            parts.Add("new()");
        }

        return parts.Count == 0 ? "" : $" where {argument.Name} : {string.Join(", ", parts)}";
    }));

    // --- Members ---------------------------------------------------------------------------------------------------------------

    private static IEnumerable<string> Members(Type type)
    {
        if (type.IsEnum)
        {
            return type.GetFields(BindingFlags.Public | BindingFlags.Static)
                .OrderBy(field => Convert.ToDecimal(field.GetRawConstantValue(), CultureInfo.InvariantCulture)).ThenBy(field => field.Name, StringComparer.Ordinal)
                .Select(field => $"{Attributes(field)}{field.Name} = {Convert.ToString(field.GetRawConstantValue(), CultureInfo.InvariantCulture)}");
        }

        if (typeof(Delegate).IsAssignableFrom(type))
        {
            return [];
        }

        var constructors = type.GetConstructors(Declared).Where(constructor => !constructor.IsStatic && IsReachable(constructor))
            .Where(constructor => !Has<CompilerGeneratedAttribute>(constructor))
            .Select(constructor => (constructor.Name, $"{Attributes(constructor)}{Access(constructor)}{Bare(type.Name)}({Parameters(constructor)})"));
        var fields = type.GetFields(Declared)
            .Where(field => field.IsPublic || ((field.IsFamily || field.IsFamilyOrAssembly) && !type.IsSealed))
            .Select(field => (field.Name, Field(field)));
        var properties = type.GetProperties(Declared).Where(property => IsReachable(property.GetMethod) || IsReachable(property.SetMethod))
            .Select(property => (property.Name, Property(property)));
        var events = type.GetEvents(Declared).Where(happening => IsReachable(happening.AddMethod))
            .Select(happening => (happening.Name, $"{Attributes(happening)}{Modifiers(happening.AddMethod!)}event {TypeName(happening.EventHandlerType!, NullableFlags.Of(happening))} {happening.Name}"));
        var methods = type.GetMethods(Declared).Where(IsReachable)
            .Where(method => (!method.IsSpecialName || method.Name.StartsWith("op_", StringComparison.Ordinal)) && !Has<CompilerGeneratedAttribute>(method) && !method.Name.Contains('<', StringComparison.Ordinal))
            .Select(method => (method.Name, Method(method)));

        return Sorted(constructors).Concat(Sorted(fields)).Concat(Sorted(properties)).Concat(Sorted(events)).Concat(Sorted(methods));
    }

    private static IEnumerable<string> Sorted(IEnumerable<(string Name, string Line)> members) =>
        members.OrderBy(member => member.Name, StringComparer.Ordinal).ThenBy(member => member.Line, StringComparer.Ordinal).Select(member => member.Line);

    private static string Field(FieldInfo field)
    {
        var kind = field.IsLiteral ? "const " : (field.IsStatic ? "static " : "") + (field.IsInitOnly ? "readonly " : "");
        var value = field.IsLiteral ? " = " + Literal(field.GetRawConstantValue(), field.FieldType) : "";
        return $"{Attributes(field)}{(field.IsPublic ? "" : "protected ")}{kind}{TypeName(field.FieldType, NullableFlags.Of(field))} {field.Name}{value}";
    }

    private static string Property(PropertyInfo property)
    {
        var accessors = new[] { property.GetMethod, property.SetMethod }.Where(IsReachable).Select(accessor => accessor!).ToList();
        var widest = accessors.Find(accessor => accessor.IsPublic) ?? accessors[0];
        var body = string.Concat(accessors.Select(accessor =>
        {
            var kind = accessor == property.GetMethod ? "get" : accessor.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)) ? "init" : "set";
            return (accessor.IsPublic || accessor == widest ? "" : "protected ") + kind + "; ";
        }));
        var index = property.GetIndexParameters();
        var name = index.Length == 0 ? property.Name : $"this[{string.Join(", ", index.Select(parameter => Parameter(parameter, isExtended: false)))}]";
        return $"{Attributes(property)}{Modifiers(widest)}{(Has<RequiredMemberAttribute>(property) ? "required " : "")}{TypeName(property.PropertyType, NullableFlags.Of(property))} {name} {{ {body}}}";
    }

    private static string Method(MethodInfo method)
    {
        var generic = method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(argument => argument.Name))}>" : "";
        return $"{Attributes(method)}{Modifiers(method)}{ReturnType(method)} {method.Name}{generic}({Parameters(method)}){Constraints(method.GetGenericArguments())}";
    }

    private static string Access(MethodBase method) => method.IsPublic ? "" : "protected ";

    private static string Modifiers(MethodInfo method)
    {
        if (method.DeclaringType!.IsInterface)
        {
            return (method.IsStatic ? "static " : "") + (method.IsStatic && method.IsAbstract ? "abstract " : !method.IsStatic && !method.IsAbstract ? "virtual " : "");
        }

        var overrides = method.GetBaseDefinition() != method;
        var inheritance = method switch
        {
            { IsStatic: true } => "static ",
            { IsAbstract: true } => overrides ? "abstract override " : "abstract ",
            { IsVirtual: true, IsFinal: false } => overrides ? "override " : "virtual ",
            { IsVirtual: true } when overrides => "sealed override ",
            _ => "",
        };
        return Access(method) + inheritance;
    }

    private static string ReturnType(MethodInfo method)
    {
        var parameter = method.ReturnParameter;
        var reference = !parameter.ParameterType.IsByRef ? "" : Has<IsReadOnlyAttribute>(parameter) ? "ref readonly " : "ref ";
        return reference + TypeName(parameter.ParameterType, NullableFlags.Of(parameter));
    }

    private static string Parameters(MethodBase method)
    {
        var isExtension = Has<ExtensionAttribute>(method);
        return string.Join(", ", method.GetParameters().Select(parameter => Parameter(parameter, isExtension && parameter.Position == 0)));
    }

    private static string Parameter(ParameterInfo parameter, bool isExtended)
    {
        var prefix = isExtended ? "this " : Has<ParamArrayAttribute>(parameter) || Has<ParamCollectionAttribute>(parameter) ? "params " : "";
        var reference = !parameter.ParameterType.IsByRef ? "" : parameter.IsOut ? "out " : parameter.IsIn ? "in " : "ref ";
        var value = parameter.HasDefaultValue ? " = " + Literal(parameter.RawDefaultValue, parameter.ParameterType) : "";
        return $"{prefix}{reference}{TypeName(parameter.ParameterType, NullableFlags.Of(parameter))} {parameter.Name}{value}";
    }

    private static string Literal(object? value, Type type)
    {
        var kind = Nullable.GetUnderlyingType(type) ?? type;
        return value switch
        {
            null => type.IsValueType && Nullable.GetUnderlyingType(type) is null ? "default" : "null",
            string text => $"\"{text}\"",
            bool flag => flag ? "true" : "false",
            _ when kind.IsEnum => Enum.ToObject(kind, value) is var member && Enum.IsDefined(kind, value) ? $"{kind.Name}.{member}" : $"({kind.Name}){member}",
            _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        };
    }

    private static string Attributes(MemberInfo member) => string.Concat(member.GetCustomAttributesData()
        .Where(attribute => ShownAttributes.Contains(attribute.AttributeType))
        .OrderBy(attribute => attribute.AttributeType.Name, StringComparer.Ordinal)
        .Select(attribute =>
        {
            var arguments = string.Join(", ", attribute.ConstructorArguments.Select(argument => argument.Value is string text ? $"\"{text}\"" : Convert.ToString(argument.Value, CultureInfo.InvariantCulture)));
            return $"[{attribute.AttributeType.Name.Replace("Attribute", "", StringComparison.Ordinal)}{(arguments.Length == 0 ? "" : $"({arguments})")}] ";
        }));

    private static bool Has<T>(MemberInfo member)
        where T : Attribute => member.IsDefined(typeof(T), inherit: false);

    private static bool Has<T>(ParameterInfo parameter)
        where T : Attribute => parameter.IsDefined(typeof(T), inherit: false);

    // --- Names -----------------------------------------------------------------------------------------------------------------

    private static string Bare(string name) => name.Split('`')[0];

    private static string NestedName(Type type)
    {
        var generic = type.GetGenericArguments().Skip(type.DeclaringType?.GetGenericArguments().Length ?? 0).Select(argument => Variance(argument) + argument.Name).ToList();
        return (type.DeclaringType is { } outer ? NestedName(outer) + "." : "") + Bare(type.Name) + (generic.Count == 0 ? "" : $"<{string.Join(", ", generic)}>");
    }

    private static string Variance(Type argument) => (argument.GenericParameterAttributes & GenericParameterAttributes.VarianceMask) switch
    {
        GenericParameterAttributes.Covariant => "out ",
        GenericParameterAttributes.Contravariant => "in ",
        _ => "",
    };

    private static string TypeName(Type type, NullableFlags? nullable = null)
    {
        nullable ??= NullableFlags.Unknown;
        if (type.IsByRef)
        {
            return TypeName(type.GetElementType()!, nullable);
        }

        if (type.IsPointer)
        {
            return TypeName(type.GetElementType()!, nullable) + "*";
        }

        if (Nullable.GetUnderlyingType(type) is { } underlying)
        {
            return TypeName(underlying, nullable) + "?";
        }

        // The order in which the compiler writes its flags: the type itself, then what it is made of; value types without arguments have none.
        var mark = (!type.IsValueType || type.IsGenericType) && nullable.Next() == 2 ? "?" : "";
        if (type.IsArray)
        {
            return $"{TypeName(type.GetElementType()!, nullable)}[{new string(',', type.GetArrayRank() - 1)}]{mark}";
        }

        if (Keywords.TryGetValue(type, out var keyword))
        {
            return keyword + mark;
        }

        if (type.IsGenericParameter || !type.IsGenericType)
        {
            return (type is { IsNested: true, IsGenericParameter: false } ? TypeName(type.DeclaringType!) + "." : "") + type.Name + mark;
        }

        var arguments = string.Join(", ", type.GetGenericArguments().Select(argument => TypeName(argument, nullable)));
        return type.FullName?.StartsWith("System.ValueTuple`", StringComparison.Ordinal) == true ? $"({arguments}){mark}" : $"{Bare(type.Name)}<{arguments}>{mark}";
    }

    /// <summary>
    /// The compiler's notes on which references may be null (<c>NullableAttribute</c>, else the nearest <c>NullableContextAttribute</c>):
    /// 0 unknown, 1 not null, 2 may be null. Read one after the other while a type's name is written.
    /// </summary>
    private sealed class NullableFlags(IReadOnlyList<byte> flags)
    {
        private int _next;

        public static NullableFlags Unknown => new([0]);

        public static NullableFlags Of(MemberInfo member) => new(Own(member.GetCustomAttributesData()) ?? [Context(member)]);

        public static NullableFlags Of(ParameterInfo parameter) => new(Own(parameter.GetCustomAttributesData()) ?? [Context(parameter.Member)]);

        public byte Next() => flags.Count == 1 ? flags[0] : _next < flags.Count ? flags[_next++] : (byte)0;

        private static byte[]? Own(IEnumerable<CustomAttributeData> attributes) =>
            attributes.FirstOrDefault(attribute => string.Equals(attribute.AttributeType.Name, "NullableAttribute", StringComparison.Ordinal))?.ConstructorArguments[0].Value switch
            {
                byte one => [one],
                IReadOnlyCollection<CustomAttributeTypedArgument> many => [.. many.Select(argument => (byte)argument.Value!)],
                _ => null,
            };

        private static byte Context(MemberInfo? member)
        {
            for (; member is not null; member = Parent(member))
            {
                var context = member.GetCustomAttributesData().FirstOrDefault(attribute => string.Equals(attribute.AttributeType.Name, "NullableContextAttribute", StringComparison.Ordinal));
                if (context is not null)
                {
                    return (byte)context.ConstructorArguments[0].Value!;
                }
            }

            return 0;
        }

        private static MemberInfo? Parent(MemberInfo member) => member is Type { IsGenericParameter: true, DeclaringMethod: { } method } ? method : member.DeclaringType;
    }
}
